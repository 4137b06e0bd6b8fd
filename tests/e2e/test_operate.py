"""What is stuck is seen, understood and mended: each subscription once, over the API and by the command line."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from azure.cosmos.aio import CosmosClient

from localazure.cosmos import EMULATOR_KEY
from shared.messaging.topology import SUBSCRIPTIONS
from tests.e2e.conftest import PATIENCE, ROOT, Client, Login, Provider, Stocked, System, basket, started

DEADLINE = 150
"""Seconds that orders wait here: what they wait for is dead until somebody has mended it."""
SETTINGS = {"RECONCILE_AFTER_SECONDS": "600", "ORDER_CREDIT": "100000000"}
"""Nobody asks again by itself: what dies stays dead. And inventory does not wait for the money."""
BACK_OFFICE = "local-back-office-primary"
ENDED = ("completed", "failed", "cancelled")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("operate"), deadline=DEADLINE, app=SETTINGS) as running:
        yield running


@pytest.fixture
async def admin(login: Login) -> Client:
    return (await login("admin")).at_gateway(BACK_OFFICE)


class Database:
    """The database, and what it refuses."""

    def __init__(self, system: System, client: Client) -> None:
        self._url, self._session = f"{system.addresses['cosmos']}/_local/faults", client.session

    async def refuses(self, database: str, operation: str, container: str = "") -> None:
        fault = {"status": 403, "count": None, "database": database, "container": container, "operation": operation}
        async with self._session.post(self._url, json=fault) as answer:
            assert answer.status == 204, await answer.text()

    async def recovers(self) -> None:
        async with self._session.delete(self._url) as answer:
            assert answer.status == 204


@pytest.fixture
async def database(system: System, admin: Client) -> AsyncIterator[Database]:
    made = Database(system, admin)
    yield made
    await made.recovers()


async def dead(admin: Client, *queues: tuple[str, str]) -> dict[tuple[str, str], int]:
    """How many dead letters there are in each subscription, once there are some in these."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await admin.call("GET", "/operations/queues")
            assert answer.status == 200, answer
            found = {(queue["topic"], queue["service"]): queue["dead_lettered"] for queue in answer.json["items"]}
            if all(found[queue] for queue in queues):
                return found
            await asyncio.sleep(0.1)


async def redriven(admin: Client, topic: str, service: str, **more: Any) -> Any:
    """The task once it has ended."""
    asked = {"topic": topic, "service": service, "why": "a test", "rate": 100, "dry_run": False, **more}
    started_ = await admin.call("POST", "/operations/redrives", asked, {"Idempotency-Key": secrets.token_hex(8)})
    assert started_.status == 202, started_
    assert started_.headers["Retry-After"] and started_.headers["Location"].startswith("/v1/operations/tasks/tsk_")
    return await admin.until(f"/operations/tasks/{started_.json['id']}", lambda task: task["status"] in ENDED)


async def command(system: System, *words: str) -> tuple[int, str, str]:
    """The command line: exit code, what it says, what it complains of."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.operate", "--state", str(system.state), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    said, complained = await process.communicate()
    return process.returncode or 0, said.decode(), complained.decode()


async def test_what_died_in_every_subscription_is_mended_and_every_order_ends_as_it_should(
    system: System, shopper: Client, staff: Client, admin: Client, stocked: Stocked, database: Database
) -> None:
    sku = await stocked(300, 50)
    assert (await shopper.settled((await shopper.placed(basket((sku, 1))))["id"]))["status"] == "confirmed"

    # what orders hears dies in it
    for container in ("products", "carts", "answers"):
        await database.refuses("orders", "create", container)
    new = await stocked(200, 5)
    cart = (await shopper.call("POST", "/carts")).json
    cart = (await shopper.call("PUT", f"/carts/{cart['id']}/items/{sku}", {"quantity": 2})).json
    first = await shopper.placed(basket((sku, 1)))
    to_orders = [(topic, "orders") for topic in ("carts", "catalog", "inventory", "payments")]
    assert set(to_orders) <= set(SUBSCRIPTIONS)
    await dead(admin, *to_orders)
    await database.recovers()

    # what orders tells dies in those who hear it
    for name in ("inventory", "payments"):
        await database.refuses(name, "batch")
    second = await shopper.placed(basket((sku, 1)))
    from_orders = [("orders", "inventory"), ("orders", "payments")]
    found = await dead(admin, *from_orders)
    assert {queue for queue, count in found.items() if count} >= {*to_orders, *from_orders}

    # why
    (letter,) = (await admin.call("GET", f"/operations/dead-letters?service=payments&subject={second['id']}")).json[
        "items"
    ]
    shown = (await admin.call("GET", f"/operations/dead-letters/{letter['id']}")).json
    assert (shown["reason"], shown["problem"]) == ("MaxDeliveryCountExceeded", "")
    assert shown["data"]["order_id"] == second["id"] and shown["data"]["payment_method"] == "[redacted]"
    log = (system.state / "logs" / "functions.log").read_text()
    failed = [line for line in log.splitlines() if '"event.failed"' in line and shown["event_id"] in line]
    assert failed and shown["trace_id"] in failed[0]

    # while the cause is there it stops by itself, and says so
    task = await redriven(admin, "orders", "payments", dead_letter_ids=[letter["id"]])
    assert (task["status"], task["problem"]["code"]) == ("failed", "came-back")
    code, _, complained = await command(system, "dead-letters", "redrive", "orders", "payments", "--why", "x", "--yes")
    assert code == 1 and "died again" in complained
    assert (await admin.call("GET", f"/orders/{second['id']}")).json["status"] == "placed"
    await database.recovers()

    # some by the API, the others by the command line
    for topic, name in to_orders[:2]:
        task = await redriven(admin, topic, name)
        assert (task["status"], task["result"]["waiting"]) == ("completed", 0), task
    for topic, name in (*to_orders[2:], *from_orders):
        code, said, complained = await command(
            system, "--json", "dead-letters", "redrive", topic, name, "--why", "mended", "--yes", "--rate", "50"
        )
        assert code == 0, complained
        assert json.loads(said)["result"]["handled"] >= 1

    for order in (first, second):
        assert (await shopper.settled(order["id"]))["status"] == "confirmed"
    assert (await shopper.settled((await shopper.placed(basket((new, 1))))["id"]))["status"] == "confirmed"
    body = {key: value for key, value in basket().items() if key != "items"}
    body |= {"cart_id": cart["id"], "cart_version": cart["version"]}
    body |= {"expected_total": {"amount": 600, "currency": "GBP"}}
    assert (await shopper.settled((await shopper.placed(body))["id"]))["status"] == "confirmed"
    assert not any((await dead(admin)).values())


async def test_a_dead_letter_is_set_aside_by_the_command_line(
    system: System, shopper: Client, admin: Client, stocked: Stocked, database: Database
) -> None:
    await database.refuses("orders", "create", "carts")
    cart = (await shopper.call("POST", "/carts")).json
    await dead(admin, ("carts", "orders"))
    _, said, _ = await command(system, "--json", "dead-letters", "list", "--subject", cart["id"])
    letters = json.loads(said)
    assert [letter["subject"] for letter in letters] == [cart["id"]]
    code, said, complained = await command(system, "dead-letters", "show", letters[0]["id"])
    assert code == 0 and "MaxDeliveryCountExceeded" in said, complained
    code, _, complained = await command(system, "dead-letters", "set-aside", letters[0]["id"], "--why", "a test cart")
    assert code == 0, complained
    code, said, _ = await command(system, "dead-letters", "kept")
    assert cart["id"] in said and "a test cart" in said
    assert (await dead(admin))["carts", "orders"] == 0
    code, _, complained = await command(system, "dead-letters", "show", letters[0]["id"])
    assert code == 1 and "there is no such dead letter" in complained


async def said(system: System, *words: str) -> Any:
    """What a command says, in JSON."""
    code, text, complained = await command(system, "--json", *words)
    assert code == 0, complained
    return json.loads(text)


async def test_a_saga_that_is_gone_is_resumed_and_one_that_waits_is_ended_and_nothing_stays_held(
    system: System,
    shopper: Client,
    staff: Client,
    admin: Client,
    stocked: Stocked,
    database: Database,
    provider: Provider,
) -> None:
    sku = await stocked(300, 10)
    await database.refuses("payments", "batch")
    gone, waiting = [await shopper.placed(basket((sku, 1))) for _ in range(2)]
    await dead(admin, ("orders", "payments"))
    url = f"{system.addresses['functions']}/runtime/webhooks/durabletask/instances/{gone['id']}/terminate"
    async with admin.session.post(url, params={"reason": "by hand"}) as answer:
        assert answer.status == 202, await answer.text()
    await staff.until(f"/stock/{sku}", lambda stock: stock["reserved"] == 2)
    await admin.until(f"/operations/sagas/orders/{gone['id']}", lambda saga: saga["runtime"] == "terminated")
    listed = {saga["id"]: saga for saga in await said(system, "sagas", "list")}
    assert (listed[gone["id"]]["runtime"], listed[waiting["id"]]["runtime"]) == ("terminated", "running")
    assert {listed[order["id"]]["waits_for"] for order in (gone, waiting)} == {"an answer about payment"}

    # ended by its cancellation: what was held is given back
    refused = await staff.call("POST", f"/operations/sagas/orders/{waiting['id']}/end", {"why": "x"})
    assert refused.status == 403
    ended = await said(system, "sagas", "end", "orders", waiting["id"], "--why", "the customer has called")
    assert (ended["status"], ended["waits_for"]) == ("cancelled", "")
    await staff.until(f"/stock/{sku}", lambda stock: (stock["on_hand"], stock["reserved"]) == (10, 1))
    await admin.until(f"/operations/sagas/orders/{waiting['id']}", lambda saga: saga["runtime"] == "completed")
    code, _, complained = await command(system, "sagas", "end", "orders", waiting["id"], "--why", "again")
    assert code == 1 and "it is over" in complained

    # resumed once its answer is there: nobody else would look at it
    await database.recovers()
    await redriven(admin, "orders", "payments")
    known = "its decision: everything is known"
    await admin.until(f"/operations/sagas/orders/{gone['id']}", lambda saga: saga["waits_for"] == known)
    assert (await admin.call("GET", f"/orders/{gone['id']}")).json["status"] == "placed"
    await said(system, "sagas", "resume", "orders", gone["id"], "--why", "somebody ended it")
    assert (await shopper.settled(gone["id"]))["status"] == "confirmed"
    await staff.until(f"/stock/{sku}", lambda stock: (stock["on_hand"], stock["reserved"]) == (9, 0))
    async with asyncio.timeout(PATIENCE):
        while [await provider.money(each["id"]) for each in (gone, waiting)] != [(0, 300), (0, 0)]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    # on record, and told in the order's story: why, to staff alone
    for order, act, why in (
        (waiting, "operations_sagas_end", "the customer has called"),
        (gone, "operations_sagas_resume", "somebody ended it"),
    ):
        for caller, wanted in ((staff, [(act, why)]), (shopper, [])):
            entries = (await caller.call("GET", f"/orders/{order['id']}/timeline")).json["items"]
            assert [(entry["act"], entry["why"]) for entry in entries if "why" in entry] == wanted
        await admin.until(
            "/operations/audit/entries?limit=100",
            lambda page, act=act, why=why: any(  # type: ignore[misc]  # bound as they are now
                (entry["entry"]["act"]["act"], entry["entry"]["act"]["reason"]) == (act, why) for entry in page["items"]
            ),
        )


async def test_a_parked_event_is_published_or_set_aside_by_the_command_line(
    system: System, staff: Client, admin: Client, stocked: Stocked
) -> None:
    sku, other = [await stocked(300, 1) for _ in range(2)]
    async with CosmosClient(f"{system.addresses['cosmos']}/", EMULATOR_KEY) as client:
        products = client.get_database_client("catalog").get_container_client("products")
        for each in (sku, other):
            outbox = await products.read_item(f"outbox:product.changed.v1:{each}:1", partition_key=each)
            event = {**outbox["event"], "id": f"product.changed.v1:{each}:2", "type": "commerce.product.later.v9"}
            await products.create_item({"id": f"outbox:{event['id']}", "sku": each, "kind": "outbox", "event": event})
        ids: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            while ids.keys() != {sku, other}:
                ids = {each["subject"]: each["id"] for each in await said(system, "parked", "list")}
        code, shown, complained = await command(system, "parked", "show", "catalog", ids[sku])
        assert code == 0 and "not a known event" in shown, complained
        # a release that does not know it parks it anew
        await said(system, "parked", "retry", "catalog", ids[sku], "--why", "perhaps")
        await admin.until("/operations/parked/catalog?limit=100", lambda page: len(page["items"]) == 2)
        # one that does publishes it
        later: list[dict[str, Any]] = [
            {"op": "set", "path": "/event/type", "value": "commerce.product.changed.v1"},
            {"op": "set", "path": "/event/version", "value": 2},
        ]
        await products.patch_item(f"parked:product.changed.v1:{sku}:2", partition_key=sku, patch_operations=later)
        await said(system, "parked", "retry", "catalog", ids[sku], "--why", "released")
        copies = client.get_database_client("orders").get_container_client("products")
        async with asyncio.timeout(PATIENCE):
            while (await copies.read_item(sku, partition_key=sku))["version"] != 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    await said(system, "parked", "set-aside", "catalog", ids[other], "--why", "nobody wants it")
    assert await said(system, "parked", "list") == []
    (kept,) = await said(system, "parked", "list", "--set-aside")
    assert (kept["id"], kept["why"]) == (ids[other], "nobody wants it")
    refused = await staff.call("POST", f"/operations/parked/catalog/{ids[other]}/retry", {"why": "x"})
    assert refused.status == 403
    for path in ("/operations/parked/nobody", "/operations/sagas/catalog", f"/operations/parked/orders/{ids[other]}"):
        assert (await admin.call("GET", path)).status == 404, path


async def test_reading_is_for_staff_and_mending_for_administrators(
    shopper: Client, staff: Client, admin: Client
) -> None:
    asked = {"topic": "orders", "service": "payments", "why": "a test"}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    assert (await staff.call("GET", "/operations/queues")).status == 200
    assert (await shopper.call("GET", "/operations/queues")).status == 403
    assert (await staff.call("POST", "/operations/redrives", asked, key)).status == 403
    task = (await admin.call("POST", "/operations/redrives", asked, key)).json
    assert (await admin.call("POST", "/operations/redrives", asked, key)).json["id"] == task["id"]
    again = await admin.call("POST", "/operations/redrives", {**asked, "rate": 11}, key)
    assert (again.status, again.problem) == (422, "idempotency-key-reused")
    assert (await staff.call("GET", f"/operations/tasks/{task['id']}")).json["kind"] == "redrive"
    assert (await staff.call("POST", f"/operations/tasks/{task['id']}/cancel")).status == 403
    ended = await admin.until(f"/operations/tasks/{task['id']}", lambda found: found["status"] in ENDED)
    assert ended["result"]["dry_run"] is True
    assert (await admin.call("POST", f"/operations/tasks/{task['id']}/cancel")).problem == "task-ended"
    nowhere = await admin.call("POST", "/operations/redrives", {**asked, "service": "carts"}, {"Idempotency-Key": "n"})
    assert (nowhere.status, nowhere.problem) == (404, "not-found")


async def test_the_command_line_says_what_is_wrong(system: System) -> None:
    code, _, complained = await command(system, "tasks", "show", "tsk_" + "a" * 26)
    assert code == 1 and complained.startswith("Error: Not found: there is no such task (not-found); trace ")
    code, _, complained = await command(system, "--account", "shopper", "queues")
    assert code == 1 and "insufficient-scope" in complained
    code, _, complained = await command(system, "--url", "http://localhost:1/v1", "queues")
    assert code == 1 and "OPERATE_TOKEN" in complained
    code, said, complained = await command(system, "queues")
    assert code == 0, complained
    assert all(f"{topic} " in said for topic, _ in SUBSCRIPTIONS)


async def test_a_privileged_act_is_in_the_audit_log_which_is_whole(
    system: System, shopper: Client, staff: Client, admin: Client, stocked: Stocked
) -> None:
    sku = await stocked(300, 5)
    etag = (await staff.call("GET", f"/products/{sku}")).headers["ETag"]
    dearer = {"name": f"Thing {sku}", "category": "tests", "price": {"amount": 400, "currency": "GBP"}}
    why = {"If-Match": etag, "X-Reason": "Christmas prices"}
    changed = await staff.call("PUT", f"/products/{sku}", dearer, why)
    assert changed.status == 200
    found = await _entries(admin, sku, 2)
    (first, second) = (each["act"] for each in found)
    assert (first["act"], first["before"]) == ("products_put", {})
    assert (second["before"], second["after"]) == (
        {"price": {"amount": 300, "currency": "GBP"}},
        {"price": dearer["price"]},
    )
    assert (second["reason"], second["roles"]) == ("Christmas prices", ["staff"])
    assert found[1]["trace_id"] == changed.headers["traceparent"].split("-")[1]
    assert (await staff.call("GET", "/operations/audit/entries")).status == 403
    long = {"If-Match": changed.headers["ETag"], "X-Reason": "x" * 501}
    assert (await staff.call("PUT", f"/products/{sku}", dearer, long)).problem == "invalid-request"
    code, said, complained = await command(system, "audit", "list", "--most", "10000")
    assert code == 0 and sku in said and "Christmas prices" in said, complained
    code, said, complained = await command(system, "--json", "audit", "verify")
    assert code == 0, complained
    assert all(day["findings"] == "" and day["entries"] >= 2 for day in json.loads(said))


async def _entries(admin: Client, target: str, count: int) -> list[Any]:
    """The entries about a thing, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: list[Any] = []
            cursor = ""
            while True:
                page = (await admin.call("GET", f"/operations/audit/entries?limit=100{cursor}")).json
                found += [each["entry"] for each in page["items"] if each["entry"]["act"]["target"] == target]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={page['next_cursor']}"
            if len(found) >= count:
                return found
            await asyncio.sleep(0.2)
