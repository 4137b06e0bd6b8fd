"""Webhooks: signed as the official client verifies them, repeated until they are taken, and silent where ordered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from easypost.errors import SignatureVerificationError
from easypost.util import validate_webhook

from tests.conformance.easypost.conftest import SECRET, Carriers, running
from tests.conformance.webhooks import taking, until


class Endpoint:
    """The app's side: takes webhooks, or refuses them with the statuses it is told to use first."""

    def __init__(self) -> None:
        self.url = ""
        self.refusals: list[int] = []
        self.received: list[tuple[bytes, dict[str, str]]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.received.append((await request.read(), dict(request.headers)))
        return web.Response(status=self.refusals.pop(0) if self.refusals else 200)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _ in self.received]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    async with taking(endpoint.take) as endpoint.url:
        yield endpoint


@pytest.fixture
async def notifying(endpoint: Endpoint) -> AsyncIterator[Carriers]:
    async with running({"webhook_url": endpoint.url, "webhook_secret": SECRET}) as carriers:
        yield carriers


async def test_a_webhook_is_verified_by_the_official_client(endpoint: Endpoint, notifying: Carriers) -> None:
    tracker = await notifying.ask("create", tracking_code="PARCEL1", carrier="UPS")
    await until(lambda: endpoint.received, notifying.clock)
    body, headers = endpoint.received[0]
    event = validate_webhook(body, headers, SECRET)
    assert (event["object"], event["description"]) == ("Event", "tracker.created")
    assert event["result"]["id"] == tracker.id
    with pytest.raises(SignatureVerificationError):
        validate_webhook(body, headers, "another secret")
    with pytest.raises(SignatureVerificationError):
        validate_webhook(body + b" ", headers, SECRET)


async def test_what_the_carrier_says_is_told_with_what_it_was_before(endpoint: Endpoint, notifying: Carriers) -> None:
    await notifying.ask("create", tracking_code="PARCEL1", carrier="UPS")
    await notifying.say("PARCEL1", "in_transit")
    await notifying.say("PARCEL1", "delivered")
    await until(lambda: len(endpoint.received) == 3, notifying.clock)
    told = {event["result"]["status"]: event["previous_attributes"] for event in endpoint.events}
    assert told == {"unknown": {}, "in_transit": {"status": "unknown"}, "delivered": {"status": "in_transit"}}


async def test_a_test_code_tells_at_once_what_became_of_it(endpoint: Endpoint, notifying: Carriers) -> None:
    await notifying.ask("create", tracking_code="EZ4000000004", carrier="UPS")
    await until(lambda: len(endpoint.received) == 2, notifying.clock)
    told = {(event["description"], event["result"]["status"]) for event in endpoint.events}
    assert told == {("tracker.created", "unknown"), ("tracker.updated", "delivered")}


async def test_a_webhook_that_is_refused_comes_again(endpoint: Endpoint, notifying: Carriers) -> None:
    endpoint.refusals = [503, 500]
    await notifying.ask("create", tracking_code="PARCEL1", carrier="UPS")
    await until(lambda: len(endpoint.received) == 3, notifying.clock, step=1)
    assert len({event["id"] for event in endpoint.events}) == 1


async def test_ordered_silence_tells_nothing_and_can_be_asked(endpoint: Endpoint, notifying: Carriers) -> None:
    await notifying.fault("webhook", "silence", tracking_code="PARCEL1", count=None)
    tracker = await notifying.ask("create", tracking_code="PARCEL1", carrier="UPS")
    await notifying.say("PARCEL1", "delivered")
    await notifying.ask("create", tracking_code="PARCEL2", carrier="UPS")
    await until(lambda: endpoint.received, notifying.clock)
    assert [event["result"]["tracking_code"] for event in endpoint.events] == ["PARCEL2"]
    assert (await notifying.ask("retrieve", tracker.id)).status == "delivered"
