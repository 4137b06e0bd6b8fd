"""Azure Communication Services Email as its official clients use it, and the inbox."""

from __future__ import annotations

import base64
import copy
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError

from localazure.clock import ManualClock
from localazure.email import PART
from localazure.part import Config, Server
from tests.conformance.email.conftest import MESSAGE, Mailer, fault, inbox


def message(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(MESSAGE), **changes}


async def test_what_is_sent_arrives(service: Server, mailer: Mailer) -> None:
    ended = await mailer.send(message())
    assert (ended["status"], ended["error"]) == ("Succeeded", None)
    (arrived,) = await inbox(service)
    assert arrived["id"] == ended["id"]
    assert arrived["content"] == MESSAGE["content"]
    assert arrived["recipients"]["to"] == MESSAGE["recipients"]["to"]
    assert await inbox(service, "ADA@example.com") == [arrived]
    assert await inbox(service, "bob@example.com") == []


async def test_a_message_that_is_sent_again_under_its_id_arrives_once(service: Server, mailer: Mailer) -> None:
    name = str(uuid.uuid4())
    for _ in range(3):
        assert (await mailer.send(message(), operation_id=name))["id"] == name
    assert len(await inbox(service)) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"content": {"subject": "Hello"}}, "neither"),
        ({"content": {"subject": "", "plainText": "x"}}, "subject"),
        ({"recipients": {"to": []}}, "recipients"),
        ({"recipients": {"to": [{"address": "nobody"}]}}, "malformed"),
        ({"recipients": {"to": [{"address": f"a{number}@b.example"} for number in range(51)]}}, "50"),
        ({"senderAddress": "shop"}, "malformed"),
        ({"surprise": 1}, "surprise"),
        ({"attachments": [{"name": "a", "contentType": "text/plain", "contentInBase64": ""}]}, "attachments"),
    ],
)
async def test_what_is_no_message_is_refused(service: Server, mailer: Mailer, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(HttpResponseError, match=says) as refused:
        await mailer.send(message(**wrong))
    assert refused.value.status_code == 400
    assert await inbox(service) == []


async def test_a_request_must_be_signed_with_the_key(service: Server, mailer: Mailer) -> None:
    stranger = Mailer(service.url, mailer.kind, base64.b64encode(b"another key").decode())
    with pytest.raises(HttpResponseError) as refused:
        await stranger.send(message())
    await stranger.close()
    assert refused.value.status_code == 401
    url = f"{service.url}/emails:send?api-version=2025-09-01"
    async with aiohttp.ClientSession() as session:
        for headers in (
            {},
            {"Authorization": "Bearer x"},
            {"Authorization": "HMAC-SHA256 SignedHeaders=x&Signature=x"},
        ):
            async with session.post(url, json=MESSAGE, headers=headers) as answer:
                assert answer.status == 401
                assert (await answer.json())["error"]["code"] == "Denied"
    assert await inbox(service) == []


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_signature_is_good_for_minutes(kind: str) -> None:
    server = await PART.start(Config(clock=ManualClock(1_000_000_000.0)))
    mailer = Mailer(server.url, kind)
    with pytest.raises(HttpResponseError, match="too far from now"):
        await mailer.send(message())
    await mailer.close()
    await server.stop()


async def test_a_sender_that_is_linked_to_nothing_is_refused() -> None:
    server = await PART.start(Config(options={"senders": "shop@example.com"}))
    mailer = Mailer(server.url, "async")
    assert (await mailer.send(message()))["status"] == "Succeeded"
    with pytest.raises(HttpResponseError) as refused:
        await mailer.send(message(senderAddress="other@example.com"))
    assert refused.value.status_code == 404
    await mailer.close()
    await server.stop()


async def test_what_has_arrived_outlives_the_process(tmp_path: Path) -> None:
    for count in (1, 2):
        server = await PART.start(Config(state=tmp_path))
        mailer = Mailer(server.url, "async")
        await mailer.send(message())
        await mailer.close()
        assert len(await inbox(server)) == count
        await server.stop()


@pytest.mark.parametrize(("kind", "arrives"), [("status", 0), ("drop_after_effect", 1)])
async def test_a_fault_that_is_ordered_strikes_once(service: Server, mailer: Mailer, kind: str, arrives: int) -> None:
    await fault(service, kind=kind, to="ada@example.com")
    await mailer.send(message(recipients={"to": [{"address": "bob@example.com"}]}))
    name = str(uuid.uuid4())
    with pytest.raises(Exception, match=r"503|[Cc]onnection|[Dd]isconnected|reset"):
        await mailer.send(message(), operation_id=name)
    assert len(await inbox(service, "ada@example.com")) == arrives
    await mailer.send(message(), operation_id=name)
    assert len(await inbox(service, "ada@example.com")) == 1


async def test_an_operation_may_fail(service: Server, mailer: Mailer) -> None:
    await fault(service, kind="fail")
    with pytest.raises(HttpResponseError):
        await mailer.send(message())
    assert await inbox(service) == []


async def test_a_fault_that_is_none_is_refused(service: Server) -> None:
    async with aiohttp.ClientSession() as session:
        for order in ({"kind": "sing"}, {"kind": "fail", "count": 0}, {"kind": "fail", "surprise": 1}):
            async with session.post(f"{service.url}/_local/faults", json=order) as answer:
                assert answer.status == 400


async def test_a_person_sees_the_inbox_and_no_script_runs_there(service: Server) -> None:
    mailer = Mailer(service.url, "async")
    script = "<script>alert(1)</script>"
    await mailer.send(message(content={"subject": script, "plainText": script, "html": script}))
    await mailer.close()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{service.url}/?to={script}") as answer:
            assert "<script" not in await answer.text()
        async with session.get(service.url) as answer:
            text = await answer.text()
            assert "&lt;script&gt;" in text and "<script" not in text
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        async with session.get(service.url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        async with session.get(f"{service.url}/nothing") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (404, "NotFound")
        async with session.delete(f"{service.url}/_local/messages") as answer:
            assert answer.status == 204
    assert await inbox(service) == []
