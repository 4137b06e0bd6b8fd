"""The HTTP API that manages instances: its codes and bodies, its paths and queries, the links that it gives out."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from azure.durable_functions import DurableOrchestrationClient as Client

from localazure.functions.wire import Host
from tests.conformance.durable.conftest import Hosts, ask, client_of, finished, until

JSON = "application/json"
WRONG = "Something went wrong while processing your request"


async def reached(client: Client, instance_id: str, status: str) -> None:
    await until(client, instance_id, lambda current: current.runtime_status.name == status)


async def test_the_reason_of_a_suspension_and_of_its_end_is_the_output_meanwhile(host: Host, client: Client) -> None:
    await client.start_new("hears", "one")
    await reached(client, "one", "Running")
    assert (await ask(host, "POST", "instances/one/suspend?reason=why")).status == 202
    await reached(client, "one", "Suspended")
    assert (await client.get_status("one")).output == "why"
    assert (await ask(host, "POST", "instances/one/resume?reason=because")).status == 202
    await reached(client, "one", "Running")
    assert (await client.get_status("one")).output == "because"


async def test_what_is_suspended_cannot_be_suspended_and_what_runs_cannot_be_resumed(
    host: Host, client: Client
) -> None:
    await client.start_new("hears", "one")
    await reached(client, "one", "Running")
    reply = await ask(host, "POST", "instances/one/resume?reason=x")
    told = "Cannot resume the orchestration instance one because instance is in the Running state."
    assert (reply.status, reply.document["Message"], reply.document["ExceptionMessage"]) == (500, WRONG, told)
    await client.suspend("one", "x")
    await reached(client, "one", "Suspended")
    reply = await ask(host, "POST", "instances/one/suspend")
    told = "Cannot suspend the orchestration instance one because instance is in the Suspended state."
    assert (reply.status, reply.document["ExceptionMessage"]) == (500, told)
    assert reply.document["ExceptionType"] == "System.InvalidOperationException"
    history = (await client.get_status("one", show_history=True)).historyEvents
    assert [item["EventType"] for item in history].count("ExecutionSuspended") == 1


async def test_what_comes_to_a_suspended_instance_stands_in_its_history_at_once(host: Host, client: Client) -> None:
    await client.start_new("collects", "one", [2, []])
    await reached(client, "one", "Running")
    await client.suspend("one", "why")
    await reached(client, "one", "Suspended")
    await client.raise_event("one", "other", 1)
    document = (await ask(host, "GET", "instances/one?showHistory=true")).document
    suspended, raised = document["historyEvents"][1:]
    assert (suspended["EventType"], suspended["Reason"]) == ("ExecutionSuspended", "why")
    assert (raised["EventType"], raised["Name"], raised["Input"]) == ("EventRaised", "other", '"1"')
    with pytest.warns(UserWarning, match="duplicate Task completion"):
        await client.resume("one", "because")
        await reached(client, "one", "Running")
        history = (await client.get_status("one", show_history=True)).historyEvents
    assert [(item["EventType"], item.get("Reason")) for item in history[1:]] == [
        ("ExecutionSuspended", "why"), ("EventRaised", None), ("ExecutionResumed", "because"),
    ]  # fmt: skip


@pytest.mark.parametrize(("query", "output"), [("", None), ("?reason=", ""), ("?reason=5", 5), ("?reason=a+b", "a b")])
async def test_a_terminated_instance_ends_with_the_reason(host: Host, client: Client, query: str, output: Any) -> None:
    await client.start_new("hears", "one")
    assert (await ask(host, "POST", f"instances/one/terminate{query}")).status == 202
    await finished(client, "one")
    document = (await ask(host, "GET", "instances/one?showHistory=true")).document
    assert (document["runtimeStatus"], document["output"]) == ("Terminated", output)
    assert [item["EventType"] for item in document["historyEvents"]][-2:] == [
        "ExecutionTerminated", "ExecutionCompleted",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "raiseEvent/go"), ("POST", "terminate?reason=x"), ("POST", "suspend?reason=x"),
        ("POST", "resume?reason=x"), ("GET", ""), ("DELETE", ""),
    ],
)  # fmt: skip
async def test_of_an_instance_that_is_not_there_nothing_is_said(host: Host, method: str, path: str) -> None:
    reply = await ask(host, method, f"instances/nobody/{path}", "{}" if "Event" in path else None, Content_Type=JSON)
    assert (reply.status, reply.text, "Content-Type" in reply.headers) == (404, "", False)


@pytest.mark.parametrize("path", ["raiseEvent/go", "terminate?reason=x", "suspend?reason=x", "resume?reason=x"])
async def test_an_instance_that_has_finished_is_gone(host: Host, client: Client, path: str) -> None:
    await client.start_new("all_at_once", "one", ["a"])
    await finished(client, "one")
    reply = await ask(host, "POST", f"instances/one/{path}", "{}", Content_Type=JSON)
    assert (reply.status, reply.text) == (410, "")


async def test_an_instance_that_runs_is_not_purged_rewound_or_started_again(host: Host, client: Client) -> None:
    await client.start_new("hears", "one")
    await reached(client, "one", "Running")
    reply = await ask(host, "DELETE", "instances/one")
    assert (reply.status, reply.document) == (
        412,
        "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID one has status "
        "Running.",
    )
    reply = await ask(host, "POST", "instances/one/rewind?reason=x")
    assert (reply.status, reply.document) == (
        412,
        'This orchestration has status Running, but only orchestrations in the "Failed" state can be rewound.',
    )
    reply = await ask(host, "POST", "orchestrators/hears/one")
    told = "An Orchestration instance with the status Running already exists."
    assert (reply.status, reply.document) == (409, {"Message": told})
    reply = await ask(host, "POST", "instances/one/restart?restartWithNewInstanceId=false")
    assert (reply.status, reply.document["ExceptionMessage"]) == (409, told)
    assert reply.document["Message"] == "A non-terminal instance with this instance ID already exists."


async def test_an_instance_that_is_not_there_is_neither_rewound_nor_started_again(host: Host) -> None:
    reply = await ask(host, "POST", "instances/nobody/rewind?reason=x")
    assert (reply.status, reply.document) == (404, 'No orchestration with instance ID "$nobody" found.')
    reply = await ask(host, "POST", "instances/nobody/restart")
    assert (reply.status, reply.document["ExceptionMessage"]) == (
        400, "No instance with ID 'nobody' was found. (Parameter 'instanceId')",
    )  # fmt: skip


async def test_an_instance_is_started_again_under_a_new_id_unless_the_query_says_false(
    host: Host, client: Client
) -> None:
    await client.start_new("all_at_once", "one", ["a"])
    await finished(client, "one")
    reply = await ask(host, "POST", "instances/one/restart?restartWithNewInstanceId=nonsense")
    assert (reply.status, reply.document["id"] != "one") == (202, True)
    reply = await ask(host, "POST", "instances/one/restart?restartWithNewInstanceId=FALSE")
    assert (reply.status, reply.document["id"]) == (202, "one")


@pytest.mark.parametrize("headers", [{}, {"Content_Type": "text/plain"}])
async def test_an_event_needs_a_content_type(host: Host, client: Client, headers: dict[str, str]) -> None:
    await client.start_new("hears", "one")
    reply = await ask(host, "POST", "instances/one/raiseEvent/go", "{}" if headers else None, **headers)
    assert (reply.status, reply.document) == (400, {"Message": "Only application/json request content is supported"})


async def test_an_event_without_a_body_is_refused(host: Host, client: Client) -> None:
    await client.start_new("hears", "one")
    reply = await ask(host, "POST", "instances/one/raiseEvent/go", "", Content_Type="application/json; charset=utf-8")
    assert (reply.status, reply.document["Message"]) == (400, "Invalid JSON content")


async def test_the_name_of_an_event_counts_letter_by_letter(host: Host, client: Client) -> None:
    await client.start_new("hears", "one")
    with pytest.warns(UserWarning, match="duplicate Task completion"):
        assert (await ask(host, "POST", "instances/one/RAISEEVENT/GO", "1", Content_Type=JSON)).status == 202
        await until(client, "one", lambda status: status.runtime_status.name == "Running")
        assert (await ask(host, "POST", "Instances/one/RaiseEvent/go/", "2", Content_Type=JSON)).status == 202
        assert (await finished(client, "one")).output == 2


@pytest.mark.parametrize("path", ["Instances/one", "instances/one/", "INSTANCES/one/?showinput=TRUE", "instances//one"])
async def test_paths_and_names_are_read_in_any_letter_case(host: Host, client: Client, path: str) -> None:
    await client.start_new("hears", "one")
    await reached(client, "one", "Running")
    assert (await ask(host, "GET", path)).status == (404 if "//" in path else 202)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("GET", "nope"), ("GET", "orchestrators"), ("GET", "orchestrators/hears"), ("POST", "instances"),
        ("PUT", "instances/one"), ("POST", "instances/one"), ("POST", "instances/one/nope"), ("HEAD", "instances/one"),
        ("GET", "instances/one/terminate"), ("PATCH", "entities/counter/x"), ("GET", "entities/counter/x/y"),
    ],
)  # fmt: skip
async def test_what_the_api_does_not_have_is_not_found(host: Host, client: Client, method: str, path: str) -> None:
    await client.start_new("hears", "one")
    reply = await ask(host, method, path)
    assert (reply.status, reply.text) == (404, "")


async def test_another_task_hub_has_no_instances(host: Host, client: Client) -> None:
    await client.start_new("hears", "one")
    await reached(client, "one", "Running")
    hub = json.loads(host._invoker.client_binding)["taskHubName"]
    assert (await ask(host, "GET", f"instances/one?taskHub={hub.upper()}")).status == 202
    assert (await ask(host, "GET", "instances/one?TaskHub=+")).status == 202
    for method, path in (("GET", "instances/one"), ("POST", "orchestrators/hears"), ("GET", "entities/counter")):
        assert (await ask(host, method, f"{path}?taskHub=other")).status == 404


async def test_links_name_hub_and_connection(host: Host, client: Client) -> None:
    reply = await ask(host, "POST", "orchestrators/hears/a%3Ab~c")
    hub = json.loads(host._invoker.client_binding)["taskHubName"]
    instance = f"{host.url.replace('localhost', '127.0.0.1')}/runtime/webhooks/durabletask/instances/a%3Ab%7Ec"
    instance = instance.replace("127.0.0.1", reply.document["statusQueryGetUri"].split("/")[2].split(":")[0])
    query = f"taskHub={hub}&connection=Storage"
    assert reply.document == {
        "id": "a:b~c",
        "statusQueryGetUri": f"{instance}?{query}",
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
        "purgeHistoryDeleteUri": f"{instance}?{query}",
        "restartPostUri": f"{instance}/restart?{query}",
        "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
        "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
    }
    managed = client.create_http_management_payload("one")
    assert managed["rewindPostUri"].endswith(f"/instances/one/rewind?reason={{text}}&{query}")
    assert managed["statusQueryGetUri"].startswith(f"http://localhost:{host.port}/")


async def test_links_are_those_of_the_site(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "shop.example")
    client = client_of(await hosts.start())
    links = client.create_http_management_payload("one")
    assert links["statusQueryGetUri"].startswith("https://shop.example/runtime/webhooks/durabletask/instances/one?")
    await client.start_new("all_at_once", "one", ["a"])  # the client itself calls this machine
    await finished(client, "one")


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
async def test_a_page_in_a_browser_cannot_use_the_clients_own_port(host: Host, header: dict[str, str]) -> None:
    url = json.loads(host._invoker.client_binding)["rpcBaseUrl"] + "orchestrators/hears/one"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, headers=header) as answer:
            assert answer.status == 403
        async with session.post(url) as answer:
            assert answer.status == 202


async def test_a_start_can_wait_for_the_end(host: Host, client: Client) -> None:
    reply = await ask(host, "POST", "orchestrators/echoes?timeout=10&pollingInterval=0.01", '"5"', Content_Type=JSON)
    assert (reply.status, reply.document) == (200, 5)
    reply = await ask(host, "POST", "orchestrators/nope/two?timeout=10&pollingInterval=0.01")
    assert (reply.status, reply.document["runtimeStatus"]) == (200, "Failed")
    reply = await ask(host, "POST", "orchestrators/hears/three?timeout=0.05&pollingInterval=0.01")
    assert (reply.status, reply.document["id"]) == (202, "three")
    reply = await ask(host, "POST", "orchestrators/hears/four?timeout=1&pollingInterval=2")
    assert (reply.status, reply.document["ExceptionMessage"]) == (
        400, "Total timeout 1 should be bigger than retry timeout 2",
    )  # fmt: skip


@pytest.mark.parametrize("query", ["", "?createdTimeFrom=", "?createdTimeFrom=nonsense", "?createdTimeTo=2020-01-01"])
async def test_a_purge_needs_a_moment_to_begin_with(host: Host, query: str) -> None:
    reply = await ask(host, "DELETE", f"instances{query}")
    assert (reply.status, reply.document) == (400, "Please provide value for 'createdTimeFrom' parameter.")


@pytest.mark.parametrize("statuses", ["Running", "Completed,Running", "Pending", "Suspended&runtimeStatus=Failed"])
async def test_a_purge_of_what_has_not_finished_is_refused(host: Host, client: Client, statuses: str) -> None:
    """Azure drops such a status, and where none is left it deletes every instance of the time named."""
    await client.start_new("all_at_once", "done", ["a"])
    await finished(client, "done")
    reply = await ask(host, "DELETE", f"instances?createdTimeFrom=2000-01-01&runtimeStatus={statuses}")
    assert (reply.status, "are not purged by the local task hub" in reply.document["ExceptionMessage"]) == (400, True)
    assert (await client.get_status("done")).runtime_status.name == "Completed"


async def test_a_purge_that_finds_nothing_says_nothing(host: Host, client: Client) -> None:
    await client.start_new("hears", "one")
    reply = await ask(host, "DELETE", "instances?createdTimeFrom=2000-01-01")
    assert (reply.status, reply.text) == (404, "")
    await client.terminate("one", "x")
    await finished(client, "one")
    reply = await ask(host, "DELETE", "instances?createdTimeFrom=2000-01-01&runtimeStatus=Nope")
    assert (reply.status, reply.text) == (404, "")
    reply = await ask(host, "DELETE", "instances?createdTimeFrom=2000-01-01&runtimeStatus=Nope,Terminated")
    assert (reply.status, reply.document) == (200, {"instancesDeleted": 1})


async def test_an_instance_with_a_blank_id_stays_pending(
    host: Host, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await ask(host, "POST", "orchestrators/all_at_once/%20")).status == 202
    await client.start_new("all_at_once", "another", ["a"])
    await finished(client, "another")
    reply = await ask(host, "GET", "instances/%20?showHistory=true")
    assert (reply.document["runtimeStatus"], "historyEvents" in reply.document) == ("Pending", False)
    assert "an instance whose id is blank is never run" in caplog.text


async def test_entities_stand_among_the_instances(host: Host, client: Client) -> None:
    await ask(host, "POST", "entities/counter/x?op=add", '"5"', Content_Type=JSON)
    await client.start_new("calls", "one", [["get", None]])
    await finished(client, "one")
    reply = await ask(host, "GET", "instances/@counter@x")
    assert (reply.status, reply.document["name"], reply.document["runtimeStatus"]) == (202, "@counter@x", "Running")
    assert reply.document["input"] == {"exists": True, "state": "5", "sorter": {}}
    assert reply.document["customStatus"] == {"entityExists": True}
    rows = (await ask(host, "GET", "instances?runtimeStatus=Running&showInput=false")).document
    assert [(row["instanceId"], row["input"]) for row in rows] == [("@counter@mine", None), ("@counter@x", None)]
    assert (await ask(host, "DELETE", "instances/@counter@x")).status == 412


async def test_an_operation_that_raises_leaves_an_entity_without_a_state(host: Host, client: Client) -> None:
    await ask(host, "POST", "entities/counter/x?op=nonesuch", "1", Content_Type=JSON)
    while (await ask(host, "GET", "entities/counter/x")).status == 404:
        pass
    assert (await ask(host, "GET", "entities/counter/x")).document is None
    [listed] = (await ask(host, "GET", "entities/counter?fetchState=true")).document
    assert (listed["entityId"], listed["state"]) == ({"name": "counter", "key": "x"}, None)


async def test_an_entity_that_no_function_is_is_named_with_those_that_are(host: Host) -> None:
    reply = await ask(host, "POST", "entities/Nope/x?op=add", "5", Content_Type=JSON)
    assert (reply.status, reply.document["Message"]) == (
        400,
        "The function 'nope' doesn't exist, is disabled, or is not an entity function. Additional info: The following "
        "are the known entity functions: 'counter', 'Journal', 'mortal', 'meddler'.",
    )
    reply = await ask(host, "POST", "entities/counter/x?op=add", "{x", Content_Type=JSON)
    assert (reply.status, "Could not parse JSON content: Unexpected end" in reply.document["Message"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("entities", "Invalid entity id: entity name must not be a null or empty string. (Parameter 'entityName')"),
        (
            "entities/counter/a%5Cb",
            "entityKey (Parameter 'Entity keys must not contain /, \\, #, ?, or control characters.')",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_an_entity_that_cannot_be_is_not_asked(host: Host, method: str, path: str, told: str) -> None:
    reply = await ask(host, method, path)
    assert (reply.status, reply.document) == (400, {"Message": told})


async def test_the_key_of_an_entity_may_be_empty(host: Host) -> None:
    assert (await ask(host, "POST", "entities/counter?op=add", '"5"', Content_Type=JSON)).status == 202
    while (await ask(host, "GET", "entities/counter/$")).status == 404:
        pass
    assert (await ask(host, "GET", "entities/counter/$")).document == 5
