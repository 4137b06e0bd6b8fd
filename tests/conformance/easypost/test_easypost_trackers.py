"""Trackers as the official client makes, reads and pages them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from easypost.errors import (
    HttpError,
    InternalServerError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    TimeoutError,
    UnauthorizedError,
)

from localazure.easypost.model import TEST_CODES
from tests.conformance.easypost.conftest import Carriers, client_of, running
from tests.conformance.webhooks import PATIENCE


@pytest.mark.parametrize(("code", "status"), TEST_CODES.items())
async def test_a_test_code_has_its_status_at_once(carriers: Carriers, code: str, status: str) -> None:
    tracker = await carriers.ask("create", tracking_code=code, carrier="UPS")
    assert (tracker.object, tracker.status, tracker.carrier, tracker.tracking_code) == ("Tracker", status, "UPS", code)
    assert tracker.finalized is (status in ("delivered", "return_to_sender", "failure"))
    read = await carriers.ask("retrieve", tracker.id)
    assert read.to_dict() == tracker.to_dict()


async def test_a_parcel_that_is_followed_has_one_tracker(carriers: Carriers) -> None:
    first = await carriers.ask("create", tracking_code="PARCEL1", carrier="UPS")
    again = await carriers.ask("create", tracking_code="PARCEL1", carrier="UPS")
    other = await carriers.ask("create", tracking_code="PARCEL1", carrier="FedEx")
    assert first.id == again.id != other.id
    assert (await carriers.ask("create", tracking_code="PARCEL2")).carrier == "USPS"


async def test_what_the_carrier_says_is_shown_with_its_moment(carriers: Carriers) -> None:
    tracker = await carriers.ask("create", tracking_code="PARCEL1", carrier="UPS")
    assert (tracker.status, tracker.tracking_details) == ("unknown", [])
    await carriers.clock.advance(3600)
    await carriers.say("PARCEL1", "in_transit")
    await carriers.clock.advance(3600)
    await carriers.say("PARCEL1", "delivered")
    read = await carriers.ask("retrieve", tracker.id)
    assert [detail.status for detail in read.tracking_details] == ["in_transit", "delivered"]
    assert read.updated_at == read.tracking_details[-1].datetime > read.tracking_details[0].datetime > read.created_at


async def test_the_clients_own_paging_reads_every_page_once(carriers: Carriers) -> None:
    made = [await carriers.ask("create", tracking_code=f"PARCEL{number}", carrier="UPS") for number in range(5)]
    await carriers.ask("create", tracking_code="PARCEL0", carrier="FedEx")
    page = await carriers.ask("all", page_size=2, carrier="UPS")
    read = [tracker.id for tracker in page["trackers"]]
    while page["has_more"]:
        page = await carriers.ask("get_next_page", page, page_size=2)
        read += [tracker.id for tracker in page["trackers"]]
    assert read == [tracker.id for tracker in reversed(made)]
    assert len((await carriers.ask("all", tracking_code="PARCEL0"))["trackers"]) == 2


async def test_another_key_is_refused(carriers: Carriers) -> None:
    stranger = client_of(carriers.server, "EZTK_stranger")
    with pytest.raises(UnauthorizedError) as refused:
        await asyncio.to_thread(stranger.tracker.create, tracking_code="EZ1000000001")
    assert refused.value.code == "APIKEY.INVALID"


async def test_a_tracker_that_is_not_there_is_not_found(carriers: Carriers) -> None:
    with pytest.raises(NotFoundError) as refused:
        await carriers.ask("retrieve", "trk_none")
    assert refused.value.code == "NOT_FOUND"
    with pytest.raises(NotFoundError):
        await carriers.ask("all", before_id="trk_none")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, "PARAMETER.INVALID"),
        ({"tracking_code": ""}, "PARAMETER.INVALID"),
        ({"tracking_code": "C" * 101}, "PARAMETER.INVALID"),
        ({"tracking_code": "C", "amount": "5"}, "UNSUPPORTED"),
    ],
)
async def test_what_cannot_be_followed_is_refused(carriers: Carriers, parameters: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await carriers.ask("create", **parameters)
    assert refused.value.code == code


async def test_what_is_not_here_is_refused_by_name(carriers: Carriers) -> None:
    with pytest.raises(NotFoundError, match="GET /v2/addresses/adr_1"):
        await asyncio.to_thread(carriers.client.address.retrieve, "adr_1")
    with pytest.raises(InvalidRequestError, match="start_datetime"):
        await carriers.ask("all", start_datetime="2026-01-01")
    with pytest.raises(InvalidRequestError, match="page_size"):
        await carriers.ask("all", page_size=101)


async def test_trackers_survive_the_process(tmp_path: Path) -> None:
    async with running(state=tmp_path) as before:
        tracker = await before.ask("create", tracking_code="PARCEL1", carrier="UPS")
        await before.say("PARCEL1", "in_transit")
    async with running(state=tmp_path) as after:
        assert (await after.ask("retrieve", tracker.id)).status == "in_transit"


async def test_ordered_refusals_have_no_effect(carriers: Carriers) -> None:
    await carriers.fault("create", "status", status=429)
    await carriers.fault("*", "status", status=500)
    for error in (RateLimitError, InternalServerError):
        with pytest.raises(error):
            await carriers.ask("create", tracking_code="PARCEL1")
    assert (await carriers.local("GET", "trackers"))["trackers"] == []
    await carriers.ask("create", tracking_code="PARCEL1")


async def test_a_lost_answer_has_had_its_effect(carriers: Carriers) -> None:
    await carriers.fault("create", "drop_after_effect", tracking_code="PARCEL1", count=None)
    with pytest.raises(HttpError):
        await carriers.ask("create", tracking_code="PARCEL1")
    await carriers.local("DELETE", "faults")
    assert len((await carriers.ask("all"))["trackers"]) == 1


async def test_a_caller_that_waits_for_an_answer_gives_up(carriers: Carriers) -> None:
    hasty = client_of(carriers.server, timeout=1)
    await carriers.fault("create", "hang")
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(hasty.tracker.create, tracking_code="PARCEL1")
    assert len((await carriers.ask("all"))["trackers"]) == 1
    await carriers.local("DELETE", "faults")


async def test_an_answer_that_takes_its_time_comes_when_the_clock_says(carriers: Carriers) -> None:
    await carriers.fault("create", "latency", seconds=30)
    waiting = asyncio.create_task(carriers.ask("create", tracking_code="PARCEL1"))
    async with asyncio.timeout(PATIENCE):
        while (await carriers.local("GET", "faults")) != []:  # noqa: ASYNC110 - another task takes it
            await asyncio.sleep(0)
    assert not waiting.done()
    await carriers.clock.advance(30)
    assert (await waiting).tracking_code == "PARCEL1"


@pytest.mark.parametrize(
    ("order", "status"),
    [
        (b"{", 400),
        (b"[" * 100, 400),
        (b'{"operation": "none", "kind": "hang"}', 422),
        (b'{"operation": "create", "kind": "hang", "count": 0}', 422),
        (b'{"operation": "create", "kind": "silence"}', 422),
        (b'{"operation": "webhook", "kind": "hang"}', 422),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(carriers: Carriers, order: bytes, status: int) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{carriers.server.url}/_local/faults", data=order) as answer,
    ):
        assert answer.status == status
    assert (await carriers.local("GET", "faults")) == []


async def test_nobody_speaks_of_a_parcel_that_is_not_followed(carriers: Carriers) -> None:
    with pytest.raises(aiohttp.ClientResponseError) as refused:
        await carriers.say("PARCEL1", "delivered")
    assert refused.value.status == 404
