"""Lists, search and events, with both official clients."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.conformance.stripe.conftest import ORDER, START, Ask, Provider, held


async def several(ask: Ask, provider: Provider, number: int) -> list[str]:
    """That many intents, a second apart, oldest first."""
    made = []
    for index in range(number):
        intent = await ask("payment_intents.create", ORDER | {"metadata": {"order_id": f"order-{index}"}})
        made.append(intent.id)
        await provider.clock.advance(1)
    return made


def ids(page: Any) -> list[str]:
    return [thing.id for thing in page.data]


async def test_a_list_is_newest_first_and_says_whether_there_is_more(either: Ask, provider: Provider) -> None:
    made = await several(either, provider, 12)
    page = await either("payment_intents.list")
    assert (page.object, page.url) == ("list", "/v1/payment_intents")
    assert (ids(page), page.has_more) == (made[:1:-1], True)
    rest = await either("payment_intents.list", {"starting_after": made[2]})
    assert (ids(rest), rest.has_more) == ([made[1], made[0]], False)


async def test_a_list_can_be_read_backwards(ask: Ask, provider: Provider) -> None:
    made = await several(ask, provider, 5)
    page = await ask("payment_intents.list", {"ending_before": made[0], "limit": 2})
    assert (ids(page), page.has_more) == ([made[2], made[1]], True)


async def test_the_clients_own_paging_reads_everything_once(ask: Ask, provider: Provider) -> None:
    made = await several(ask, provider, 7)
    first = await ask("payment_intents.list", {"limit": 3})
    assert [intent.id async for intent in first.auto_paging_iter()] == made[::-1]


async def test_a_list_can_be_narrowed_by_time(ask: Ask, provider: Provider) -> None:
    made = await several(ask, provider, 5)
    moment = int(START) + 2
    assert ids(await ask("payment_intents.list", {"created": moment})) == [made[2]]
    assert ids(await ask("payment_intents.list", {"created": {"gte": moment, "lt": moment + 2}})) == [made[3], made[2]]
    assert ids(await ask("payment_intents.list", {"created": {"gt": moment, "lte": moment + 1}})) == [made[3]]


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"starting_after": "pi_missing"}, "starting_after"),
        ({"metadata": {"order_id": "order-1"}}, "metadata"),
        ({"customer": "cus_1"}, "customer"),
        ({"created": {"after": 5}}, "created[after]"),
    ],
)
async def test_a_list_that_cannot_be_given_is_refused(ask: Ask, parameters: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask("payment_intents.list", parameters)
    assert refused.value.param == param


async def test_an_intent_is_found_by_its_metadata(either: Ask, provider: Provider) -> None:
    made = await several(either, provider, 3)
    found = await either("payment_intents.search", {"query": "metadata['order_id']:'order-1'"})
    assert (found.object, ids(found), found.has_more) == ("search_result", [made[1]], False)
    assert ids(await either("payment_intents.search", {"query": 'metadata["order_id"]:"order-9"'})) == []


async def test_clauses_can_be_combined_and_turned_round(ask: Ask) -> None:
    small = await ask("payment_intents.create", ORDER | {"amount": 500})
    large = await held(ask, amount=90_000, currency="usd", metadata={})

    async def found(query: str) -> list[str]:
        return ids(await ask("payment_intents.search", {"query": query}))

    assert await found("status:'requires_capture' AND currency:'usd'") == [large.id]
    assert await found("status:'requires_capture' currency:'gbp'") == []
    assert await found("currency:'gbp' OR currency:'usd'") == [large.id, small.id]
    assert await found("amount>500") == [large.id]
    assert await found("amount<=500") == [small.id]
    assert await found("-status:'requires_capture'") == [small.id]
    assert await found("-metadata['order_id']:null") == [small.id]
    assert await found("metadata['order_id']:null") == [large.id]
    assert await found(f"created>={int(START)}") == [large.id, small.id]


async def test_search_pages_through_what_it_finds(ask: Ask, provider: Provider) -> None:
    made = await several(ask, provider, 5)
    first = await ask("payment_intents.search", {"query": "currency:'gbp'", "limit": 2})
    assert (ids(first), first.has_more) == (made[:2:-1], True)
    assert [intent.id async for intent in first.auto_paging_iter()] == made[::-1]


async def test_metadata_changed_by_a_capture_is_found_again(ask: Ask) -> None:
    intent = await held(ask)
    await ask("payment_intents.capture", intent.id, {"metadata": {"order_id": "order-2"}})
    assert ids(await ask("payment_intents.search", {"query": "metadata['order_id']:'order-1'"})) == []
    assert ids(await ask("payment_intents.search", {"query": "metadata['order_id']:'order-2'"})) == [intent.id]


@pytest.mark.parametrize(
    "query",
    [
        "nonsense",
        "metadata['order_id']:",
        "status:'a' AND",
        "status:'a' AND currency:'b' OR currency:'c'",
        "metadata['order_id']~'ord'",
        "customer:'cus_1'",
        "amount:'many'",
        "metadata['n']>'1'",
        "status:'it''s'",
    ],
)
async def test_a_query_that_cannot_be_answered_is_refused_and_not_guessed_at(ask: Ask, query: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask("payment_intents.search", {"query": query})
    assert refused.value.param == "query"


async def test_a_search_needs_a_query_and_its_own_page(ask: Ask) -> None:
    for parameters in ({}, {"query": "currency:'gbp'", "page": "later"}):
        with pytest.raises(stripe.InvalidRequestError):
            await ask("payment_intents.search", parameters)


class TestEvents:
    async def test_events_tell_the_story_of_an_intent(self, either: Ask) -> None:
        intent = await held(either)
        await either("payment_intents.capture", intent.id)
        events = await either("events.list")
        assert [event.type for event in events.data] == [
            "payment_intent.succeeded",
            "charge.captured",
            "payment_intent.amount_capturable_updated",
            "charge.succeeded",
            "payment_intent.created",
        ]
        one = await either("events.retrieve", events.data[0].id)
        assert one.to_dict() == events.data[0].to_dict()
        assert one.api_version == stripe.api_version

    async def test_an_event_holds_the_object_as_it_was(self, ask: Ask) -> None:
        intent = await held(ask)
        await ask("payment_intents.cancel", intent.id)
        events = await ask("events.list", {"type": "payment_intent.amount_capturable_updated"})
        assert events.data[0].data.object["status"] == "requires_capture"

    async def test_events_can_be_narrowed_by_type(self, ask: Ask) -> None:
        intent = await held(ask)
        await ask("payment_intents.capture", intent.id)
        charges = await ask("events.list", {"type": "charge.*"})
        assert [event.type for event in charges.data] == ["charge.captured", "charge.succeeded"]
        two = await ask("events.list", {"types": ["payment_intent.created", "charge.captured"]})
        assert [event.type for event in two.data] == ["charge.captured", "payment_intent.created"]

    async def test_a_refund_event_says_what_it_was_before(self, ask: Ask) -> None:
        intent = await held(ask)
        await ask("payment_intents.capture", intent.id)
        await ask("refunds.create", {"payment_intent": intent.id, "amount": 250})
        (event,) = (await ask("events.list", {"type": "charge.refunded"})).data
        assert event.data.object["amount_refunded"] == 250
        assert event.data.previous_attributes["amount_refunded"] == 0


async def test_refunds_are_listed_by_what_they_refund(ask: Ask) -> None:
    refunds = []
    for _ in range(2):
        intent = await held(ask)
        await ask("payment_intents.capture", intent.id)
        refunds.append(await ask("refunds.create", {"payment_intent": intent.id}))
    first, second = refunds
    assert ids(await ask("refunds.list")) == [second.id, first.id]
    assert ids(await ask("refunds.list", {"payment_intent": first.payment_intent})) == [first.id]
    assert ids(await ask("refunds.list", {"charge": second.charge})) == [second.id]
    expanded = await ask("refunds.list", {"expand": ["data.payment_intent", "data.charge"]})
    assert expanded.data[0].payment_intent.id == second.payment_intent
    assert expanded.data[0].charge.refunded is True
