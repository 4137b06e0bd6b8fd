"""Annotations and return values: what Microsoft's worker refuses is refused here, and what it takes works.

The whole table of cases, beside Microsoft's own library, is tests/conformance/runtime.
"""

from __future__ import annotations

import aiohttp
import pytest

from localazure.functions.errors import HostError

from .conftest import App

BUS = '@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="BUS"{})\n'
FEED = (
    '@app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="d", container_name="c",'
    ' lease_container_name="leases")\n'
)
TIMER = '@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")\n'
REFUSED = {
    "an int for HTTP": '@app.route("a")\ndef f(req: func.HttpRequest) -> int: ...',
    "an optional answer": '@app.route("a")\ndef f(req: func.HttpRequest) -> typing.Optional[func.HttpResponse]: ...',
    "a union with None": '@app.route("a")\ndef f(req: func.HttpRequest) -> func.HttpResponse | None: ...',
    "a builtin list of messages": BUS.format(', cardinality="many"') + "def f(msg: list[func.ServiceBusMessage]): ...",
    "a list of dicts from a feed": FEED + "def f(docs: list[dict]): ...",
    "an optional message": BUS.format("") + "def f(msg: typing.Optional[func.ServiceBusMessage]): ...",
    "an input as an output": '@app.route("a")\ndef f(req: func.Out[str]) -> str: ...',
    "an output as an input": '@app.route("a", binding_arg_name="out")\ndef f(req: func.HttpRequest, out: str): ...',
    "another type of context": '@app.route("a")\ndef f(req: func.HttpRequest, context: dict) -> str: ...',
}
TAKEN = {
    "a typing list of messages": BUS.format(', cardinality="many"')
    + "def f(msg: typing.List[func.ServiceBusMessage]): ...",
    "a message as text": BUS.format("") + "def f(msg: str): ...",
    "a message as bytes": BUS.format("") + "def f(msg: bytes): ...",
    "a feed as text": FEED + "def f(docs: str): ...",
    "a timer as text": TIMER + "def f(timer: str): ...",
    "a dict for an activity": '@bp.activity_trigger(input_name="x")\ndef f(x: typing.Dict[str, int]) -> dict: ...',
    "a mapping for an activity": '@bp.activity_trigger(input_name="x")\ndef f(x: typing.Mapping[str, int]): ...',
    "a literal for an activity": '@bp.activity_trigger(input_name="x")\ndef f(x: typing.Literal["a", "b"]): ...',
    "a sequence for an activity": '@bp.activity_trigger(input_name="x")\ndef f(x: typing.Sequence[int]): ...',
}


async def _start(app: App, code: str) -> None:
    app.settings |= {"BUS": "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=b"}
    app.settings |= {"COSMOS": "AccountEndpoint=http://127.0.0.1:1/;AccountKey=YQ==;"}
    bound = "app.register_functions(bp)\n" if "bp." in code else ""
    app.write("import typing\nimport azure.durable_functions as df\nbp = df.Blueprint()\n" + code + "\n" + bound)
    await app.start()


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED)
async def test_what_leaves_an_app_on_azure_without_functions_does_not_start(app: App, code: str) -> None:
    with pytest.raises(HostError, match="'f'"):
        await _start(app, code)


@pytest.mark.parametrize("code", TAKEN.values(), ids=TAKEN)
async def test_what_the_worker_takes_starts(app: App, code: str) -> None:
    await _start(app, code)


async def test_a_value_that_no_binding_takes_fails_the_call(app: App, http: aiohttp.ClientSession) -> None:
    app.write(TIMER + "def f(timer: func.TimerRequest):\n    seen.put_nowait(1)\n    return 'unheard'\n")
    host = await app.start()
    async with http.post(f"{host.url}/admin/functions/f", json={}) as answer:
        assert answer.status == 202
    async with http.get(f"{host.url}/admin/localazure/counters") as answer:
        assert (await answer.json())["failures"] == {"f": 1}


async def test_an_answer_to_http_may_be_an_output_by_name(app: App, http: aiohttp.ClientSession) -> None:
    app.write("""
        @app.route("a", binding_arg_name="out")
        def f(req: func.HttpRequest, out: func.Out[func.HttpResponse]) -> None:
            out.set(func.HttpResponse("set", status_code=201))
    """)
    host = await app.start()
    async with http.get(f"{host.url}/api/a") as answer:
        assert (answer.status, await answer.text()) == (201, "set")
