"""Events to an orchestrator: both encodings are read, anything else is an error that names the event and no value."""

from __future__ import annotations

import json
from typing import Any, Literal

import azure.durable_functions as df
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders.domain import REPLIES
from blueprints.orders.saga import EVENTS
from shared.orchestration import ActivityFailed, ExternalEvent, UnreadableEvent, failure_of


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event whose value is an object."""

    by: str
    granted: bool
    amount: int | None = None


APPROVALS = st.builds(Approval, by=st.text(), granted=st.booleans(), amount=st.none() | st.integers(-(2**53), 2**53))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Recorder(df.DurableOrchestrationClient):  # type: ignore[misc]  # the package ships no types
    """What the client would send, as the extension keeps it: the token of the request's body."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any = None, *_: Any) -> None:
        self.sent.append((instance_id, event_name, json.dumps(json.dumps(event_data))))


@given(APPROVALS)
async def test_what_the_client_sends_is_read_in_both_encodings(value: Approval) -> None:
    event: ExternalEvent[Approval] = ExternalEvent("approval", Approval)
    client = Recorder()
    await event.send(client, "i", value)
    ((instance, name, body),) = client.sent
    doubled = json.loads(body)
    assert (instance, name) == ("i", "approval")
    assert isinstance(doubled, str), "this is what azure-functions-durable 1.7 makes of an event"
    assert event.read(doubled) == event.read(json.loads(doubled)) == value


@pytest.mark.parametrize(("name", "said"), [*REPLIES.values(), ("cancelled", "cancelled")], ids=str)
def test_every_answer_that_the_saga_is_sent_is_read_in_both_encodings(name: str, said: str) -> None:
    assert EVENTS[name].read(said) == EVENTS[name].read(json.dumps(said)) == said


@pytest.mark.parametrize("name", EVENTS)
@given(data=JSON)
def test_anything_else_is_an_error_that_names_the_event_and_holds_no_value(name: str, data: Any) -> None:
    try:
        EVENTS[name].read(data)
    except UnreadableEvent as exc:
        assert str(exc) == f"the event '{name}' came with data of another type"


@pytest.mark.parametrize("data", ["[" * 50_000, "\ud800", '"\\ud800"', "", " ", '"reserved', '"\\"reserved\\""'])
def test_broken_text_is_an_error_like_any_other(data: str) -> None:
    with pytest.raises(UnreadableEvent):
        EVENTS["stock"].read(data)


async def test_a_value_of_another_type_is_never_sent() -> None:
    client, stock = Recorder(), EVENTS["stock"]
    with pytest.raises(msgspec.ValidationError):
        await stock.send(client, "i", "authorized")
    assert client.sent == []


@pytest.mark.parametrize("type_", [str, Any])
def test_a_type_whose_encodings_look_alike_is_no_type_for_an_event(type_: Any) -> None:
    with pytest.raises(TypeError, match="'note' needs a type"):
        ExternalEvent("note", type_)


def test_a_literal_is() -> None:
    assert ExternalEvent("note", Literal["a"]).name == "note"


def test_the_failure_of_an_activity_is_told_without_the_hosts_exception() -> None:
    text = (
        "Activity function 'explode' failed: RuntimeError: exploded: bang \n "
        '{"$type":"System.Exception, System.Private.CoreLib","ClassName":"System.Exception","RemoteStackTrace":"at …"}'
    )
    failure = failure_of(Exception(text))
    assert isinstance(failure, ActivityFailed)
    assert str(failure) == "Activity function 'explode' failed: RuntimeError: exploded: bang"
