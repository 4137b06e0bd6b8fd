"""The table of one-function apps that Microsoft's worker library and ours are given: triggers by annotations, return
values, exceptions, outputs and contexts. A case is an app and what its function is called with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

HEADER = '''
import collections, dataclasses, datetime, decimal, enum, json, typing
from typing import *
import azure.functions as func
import azure.durable_functions as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
seen = []

@dataclasses.dataclass
class Data:
    a: int = 1

class Row(TypedDict):
    a: int

class Color(enum.Enum):
    RED = 1

Name = NewType("Name", str)
T = TypeVar("T")

class OwnRequest(func.HttpRequest): ...
class OwnMessage(func.ServiceBusMessage): ...
class OwnList(func.DocumentList): ...
class OwnText(str): ...

def show(x):
    """A value in words that do not depend on where its class is defined."""
    if isinstance(x, (func.HttpRequest, func.ServiceBusMessage)):
        return f"{type(x).__name__} {x.get_body()!r}"
    if isinstance(x, func.TimerRequest):
        return f"TimerRequest {x.past_due} {x.schedule_status}"
    if isinstance(x, func.DocumentList) or type(x) is list:
        return f"{type(x).__name__} {[show(part) for part in x]}"
    return f"{type(x).__name__} {dict(x) if isinstance(x, func.Document) else x!r}"
'''


@dataclass(frozen=True)
class Case:
    """`data`: what the trigger gives, as kind and value; `inputs`: what further bindings give."""

    id: str
    code: str
    data: tuple[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, tuple[str, Any]] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return HEADER + self.code


@dataclass(frozen=True)
class Trigger:
    """How a trigger is declared, the type that its parameter usually has, and what it gives."""

    declared: str
    usual: str
    data: tuple[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)


REQUEST = {
    "method": "POST",
    "url": "http://localhost/api/r?q=1",
    "headers": {"content-type": "application/json", "x-a": "b"},
    "params": {"id": "7"},
    "query": {"q": "1"},
    "body": '{"a": 1}',
}
MESSAGE = {"UserProperties": {"p": 1}, "ApplicationProperties": {"p": 1}, "DeliveryCount": 1, "MessageId": "m"}
MESSAGES = {f"{name}Array": [value, value] for name, value in MESSAGE.items()}
TIMER = {"IsPastDue": False, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": {"Last": "2026-01-01T00:00:00Z"}}
BUS = '@app.service_bus_queue_trigger(arg_name="x", queue_name="q", connection="BUS"{})'
FEED = '@app.cosmos_db_trigger(arg_name="x", connection="COSMOS", database_name="d", container_name="c")'
TRIGGERS = {
    "http": Trigger('@app.route(route="r", trigger_arg_name="x")', "func.HttpRequest", ("http", REQUEST)),
    "message": Trigger(BUS.format(""), "func.ServiceBusMessage", ("string", '{"a": 1}'), MESSAGE),
    "messages": Trigger(
        BUS.format(', cardinality="many"'),
        "typing.List[func.ServiceBusMessage]",
        ("collection_string", ["one", "two"]),
        MESSAGES,
    ),
    "feed": Trigger(FEED, "func.DocumentList", ("json", '[{"id": "1"}, {"id": "2"}]')),
    "timer": Trigger(
        '@app.timer_trigger(arg_name="x", schedule="0 * * * * *")', "func.TimerRequest", ("json", json.dumps(TIMER))
    ),
    "activity": Trigger('@app.activity_trigger(input_name="x")', "dict", ("json", '{"a": 1}')),
}
PLAIN = (
    "str bytes bytearray int float bool dict list tuple set object None Any Data Row Color Name T OwnText "
    "datetime.datetime"
).split()
TYPING = (
    "Optional[{}];{} | None;Union[{}, str];list[{}];List[{}];Sequence[{}];Iterable[{}];tuple[{}];Tuple[{}];"
    "Annotated[{}, 1];collections.abc.Sequence[{}];Type[{}];func.Out[{}]"
).split(";")
GENERIC = (
    "list[dict];List[dict];List[str];List[bytes];List;Dict;Dict[str, Any];dict[str, int];Mapping;Mapping[str, int];"
    "Sequence;Sequence[int];Literal['a', 'b'];Callable;Callable[[int], int];Tuple;"
    "ClassVar[int];'Data';'func.Nothing';func.Out;func.Context;func.HttpRequest;func.HttpResponse;func.ServiceBusMessage;func.DocumentList;func.Document;"
    "func.TimerRequest;func.InputStream;OwnRequest;OwnMessage;OwnList"
).split(";")


def annotated() -> Iterator[Case]:
    """Every trigger by every annotation of its parameter."""
    for kind, trigger in TRIGGERS.items():
        base = trigger.usual.removeprefix("typing.List[").removesuffix("]")
        about = [*PLAIN, *GENERIC, *(form.format(base) for form in TYPING), f"List[{base} | None]"]
        for annotation in ["", *dict.fromkeys([trigger.usual, *about])]:
            said = f": {annotation}" if annotation else ""
            code = f"{trigger.declared}\ndef f(x{said}):\n    seen.append(show(x))\n"
            if kind == "http":
                code += "    return 'ok'\n"
            yield Case(f"{kind} ({annotation})", code, trigger.data, trigger.metadata)


RETURNS = (
    "func.HttpResponse;str;bytes;int;None;dict;list;Any;object;Optional[func.HttpResponse];func.HttpResponse | None;"
    "Union[str, func.HttpResponse];List[str];'func.HttpResponse';'func.Nothing';func.Out[str];func.HttpRequest;OwnText;"
    "Dict[str, str];Literal['a'];Annotated[str, 1]"
).split(";")
VALUES = {
    "nothing": "None",
    "text": "'text é'",
    "empty text": "''",
    "bytes": "b'bytes'",
    "number": "5",
    "float": "1.5",
    "bool": "True",
    "dict": "{'a': 1}",
    "list": "[1, 'b']",
    "tuple": "(1, 2)",
    "set": "{1}",
    "date": "datetime.datetime(2026, 1, 1)",
    "decimal": "decimal.Decimal('1.5')",
    "dataclass": "Data()",
    "response": "func.HttpResponse('made', status_code=201, headers={'X-A': 'b'})",
    "empty response": "func.HttpResponse()",
    "JSON response": "func.HttpResponse(json.dumps({'a': 1}), mimetype='application/json')",
    "bytes response": "func.HttpResponse(b'\\x00\\x01', mimetype='application/octet-stream')",
    "cookie": "func.HttpResponse('c', headers={'Set-Cookie': 'a=b; Path=/; HttpOnly'})",
    "document": "func.Document.from_dict({'id': '1'})",
    "documents": "func.DocumentList([func.Document.from_dict({'id': '1'})])",
    "list of documents": "[func.Document.from_dict({'id': '1'})]",
}


def returns() -> Iterator[Case]:
    """Return annotations and return values of each trigger."""
    for annotation in RETURNS:
        code = f"{TRIGGERS['http'].declared}\ndef f(x: func.HttpRequest) -> {annotation}:\n    return 'ok'\n"
        yield Case(f"http -> {annotation}", code, TRIGGERS["http"].data)
    for kind in ("message", "timer", "activity"):
        for annotation in ("str", "int", "None", "Optional[str]", "List[str]", "'func.Nothing'"):
            trigger = TRIGGERS[kind]
            code = f"{trigger.declared}\ndef f(x) -> {annotation}:\n    seen.append(show(x))\n"
            yield Case(f"{kind} -> {annotation}", code, trigger.data, trigger.metadata)
    for kind, trigger in TRIGGERS.items():
        for name, value in VALUES.items():
            code = f"{trigger.declared}\ndef f(x):\n    return {value}\n"
            yield Case(f"{kind} returns {name}", code, trigger.data, trigger.metadata)
    code = f"{TRIGGERS['http'].declared}\nasync def f(x):\n    return 'from a coroutine'\n"
    yield Case("http returns from a coroutine", code, TRIGGERS["http"].data)


RAISED = {
    "ValueError": "raise ValueError('bang')",
    "an exception of its own": "class Own(Exception): ...\n    raise Own('bang', 1)",
    "KeyError": "{}['k']",
    "nothing said": "raise RuntimeError",
    "a cause": "try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise RuntimeError('outer') from e",
    "NotImplementedError": "raise NotImplementedError('later')",
    "TimeoutError": "raise TimeoutError('late')",
}


def exceptions() -> Iterator[Case]:
    for kind, trigger in TRIGGERS.items():
        for name, statement in RAISED.items():
            code = f"{trigger.declared}\ndef f(x):\n    {statement}\n"
            yield Case(f"{kind} raises {name}", code, trigger.data, trigger.metadata)


CONTEXT = """    trace, retry = context.trace_context, context.retry_context
    seen.append(show([context.function_name, context.invocation_id, context.thread_local_storage.invocation_id,
        trace.trace_parent, trace.trace_state, trace.Traceparent, trace.Tracestate, dict(trace.attributes),
        retry.retry_count, retry.max_retry_count]))
"""


def contexts() -> Iterator[Case]:
    """The parameter `context`, and parameters that stand for nothing."""
    http = TRIGGERS["http"]
    for annotation in (
        "",
        ": func.Context",
        ": dict",
        ": str",
        ": Data",
        ": Optional[func.Context]",
        ": 'func.Context'",
    ):
        for word in ("def", "async def"):
            code = f"{http.declared}\n{word} f(x, context{annotation}):\n{CONTEXT}    return 'ok'\n"
            yield Case(f"{word} with context{annotation}", code, http.data)
    for kind in ("message", "timer", "feed"):
        trigger = TRIGGERS[kind]
        code = f"{trigger.declared}\ndef f(x, context: func.Context):\n{CONTEXT}"
        yield Case(f"{kind} with context", code, trigger.data, trigger.metadata)
    for name, parameters in {
        "one too many": "x, other",
        "one too few": "",
        "ctx": "x, ctx: func.Context",
        "a default": "x, other=1",
        "args": "x, *args",
        "keywords": "x, **kwargs",
        "keyword only": "*, x",
    }.items():
        code = f"{http.declared}\ndef f({parameters}):\n    return 'ok'\n"
        yield Case(f"parameters: {name}", code, http.data)


OUTPUTS = {
    "queue": '@app.service_bus_queue_output(arg_name="out", queue_name="q", connection="BUS")',
    "topic": '@app.service_bus_topic_output(arg_name="out", topic_name="t", connection="BUS")',
    "documents": '@app.cosmos_db_output(arg_name="out", connection="COSMOS", database_name="d", container_name="c")',
}
OUT = (
    ";str;bytes;func.Out;func.Out[str];func.Out[bytes];func.Out[int];func.Out[List[str]];func.Out[func.Document];"
    "func.Out[func.DocumentList];func.Out[Any];func.Out[Optional[str]];func.Out[func.ServiceBusMessage];func.Out[dict]"
).split(";")


def outputs() -> Iterator[Case]:
    """Outputs by annotation, by what is set, and as the return value."""
    http = TRIGGERS["http"]
    for kind, declared in OUTPUTS.items():
        for annotation in OUT:
            said = f": {annotation}" if annotation else ""
            code = f"{http.declared}\n{declared}\ndef f(x, out{said}):\n    return 'ok'\n"
            yield Case(f"{kind} output ({annotation})", code, http.data)
        for said in ("", ": func.Out[str]"):
            for name, value in VALUES.items():
                code = f"{http.declared}\n{declared}\ndef f(x, out{said}):\n    out.set({value})\n    return 'ok'\n"
                yield Case(f"{kind} output{said} set to {name}", code, http.data)
        returned = declared.replace('"out"', '"$return"')
        for name, value in VALUES.items():
            code = f"{TRIGGERS['timer'].declared}\n{returned}\ndef f(x):\n    return {value}\n"
            yield Case(f"{kind} as the return value: {name}", code, TRIGGERS["timer"].data)
    named = '@app.route(route="r", trigger_arg_name="x", binding_arg_name="out")'
    for annotation in ("func.Out[func.HttpResponse]", "func.Out[str]", "func.Out[bytes]", "func.HttpResponse"):
        for name in ("text", "response", "nothing"):
            code = f"{named}\ndef f(x, out: {annotation}):\n    out.set({VALUES[name]})\n"
            yield Case(f"http output ({annotation}) set to {name}", code, http.data)


def inputs() -> Iterator[Case]:
    """Documents that are read beside a request."""
    http = TRIGGERS["http"]
    declared = '@app.cosmos_db_input(arg_name="docs", connection="COSMOS", database_name="d", container_name="c")'
    given = {"a list": ("json", '[{"id": "1"}]'), "one": ("json", '{"id": "1"}'), "none": ("json", "null")}
    for annotation in (
        "",
        ": func.DocumentList",
        ": str",
        ": bytes",
        ": list",
        ": func.Document",
        ": List[func.Document]",
    ):
        for name, data in given.items():
            body = "    seen.append(show(docs))\n    return 'ok'\n"
            code = f"{http.declared}\n{declared}\ndef f(x, docs{annotation}):\n{body}"
            yield Case(f"documents in{annotation}, {name}", code, http.data, inputs={"docs": data})


CLIENT = json.dumps(
    {
        "taskHubName": "hub",
        "creationUrls": {"createNewInstancePostUri": "http://localhost/a"},
        "managementUrls": {"id": "INSTANCEID", "statusQueryGetUri": "http://localhost/b"},
        "rpcBaseUrl": "http://localhost/c",
    }
)


def durable() -> Iterator[Case]:
    client = '@app.durable_client_input(client_name="client")'
    for annotation in ("", ": str", ": df.DurableOrchestrationClient", ": Optional[str]"):
        code = f"{TRIGGERS['http'].declared}\n{client}\nasync def f(x, client{annotation}):\n    return 'ok'\n"
        yield Case(f"durable client{annotation}", code, TRIGGERS["http"].data, inputs={"client": ("string", CLIENT)})


def other_bindings() -> Iterator[Case]:
    """Bindings that this host has not."""
    for name, declared in {
        "blob": '@app.blob_trigger(arg_name="x", path="p/{name}", connection="C")',
        "queue storage": '@app.queue_trigger(arg_name="x", queue_name="q", connection="C")',
        "Event Grid": '@app.event_grid_trigger(arg_name="x")',
        "Event Hubs": '@app.event_hub_message_trigger(arg_name="x", event_hub_name="h", connection="C")',
        "Kafka": '@app.kafka_trigger(arg_name="x", topic="t", broker_list="b")',
        "SQL": '@app.sql_trigger(arg_name="x", table_name="t", connection_string_setting="C")',
        "warm-up": '@app.warm_up_trigger(arg_name="x")',
        "of its own": '@app.generic_trigger(arg_name="x", type="ownTrigger")',
    }.items():
        yield Case(f"another trigger: {name}", f"{declared}\ndef f(x):\n    seen.append(show(x))\n", ("string", "data"))


CASES = [
    case
    for part in (annotated, returns, exceptions, contexts, outputs, inputs, durable, other_bindings)
    for case in part()
]
