"""To be forgotten, against a real database: the wish, the way back, what each service erases, and the certificate."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import pytest

from blueprints.accounts import forget, service, store
from blueprints.accounts.service import ChangeAccount
from blueprints.carts import service as carts
from blueprints.orders import domain, erasure
from blueprints.orders import store as orders
from blueprints.orders.customer import Customer, Open
from blueprints.payments import service as payments
from blueprints.payments import store as payments_store
from shared.clock import timestamp
from shared.contracts.accounts import ErasureRequested, ErasureStarted
from shared.contracts.event import Event, EventData, data_of, make_event
from shared.contracts.orders import OrderConfirmed
from shared.contracts.personal_data import ErasureAnswered, ErasureRefused, Kept
from shared.errors import Conflict, NotFound
from shared.money import Money
from shared.persistence.cosmos import Container
from shared.persistence.outbox import event_of
from shared.settings import CONTACT_KEY
from shared.web.address import AddressIn
from shared.web.auth import Principal

HOME = AddressIn(name="Ada", line1="1 High Street", city="London", postal_code="N1 1AA", country="GB")
TOTAL = Money(500, "GBP")


@pytest.fixture(autouse=True)
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTACT_KEY.name, CONTACT_KEY.local or "")


def someone() -> Principal:
    subject = secrets.token_hex(8)
    return Principal(subject, frozenset(), frozenset(), email=f"{subject}@example.com", name=f"Ada {subject}")


def event(data: EventData, subject: str, source: str = "orders", version: int = 1) -> Event:
    return make_event(
        data, source=source, subject=subject, version=version, time=timestamp(),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip


async def told(container: Container, key: str) -> list[EventData]:
    found = [event_of(item) async for item in container.query("SELECT * FROM c WHERE c.kind = 'outbox'", {}, key=key)]
    return [data_of(event) for event in sorted(found, key=lambda event: (event.time, event.version))]


def confirmed(caller: Principal) -> OrderConfirmed:
    return OrderConfirmed(order_id=f"ord_{secrets.token_hex(4)}", total=TOTAL, customer_id=caller.subject)


async def answered(erasure_id: str, caller: Principal, *names: str) -> None:
    for name in names:
        data = ErasureAnswered(
            erasure_id=erasure_id, account_id=caller.subject, erased=["a"], kept=[Kept("b", "because")]
        )
        await forget.hear_answer(event(data, erasure_id, name), data)


async def test_an_erasure_takes_the_account_and_leaves_a_certificate() -> None:
    caller = someone()
    await service.add_address(caller, "", HOME)
    await service.change(caller, ChangeAccount(language="de"), None)
    asked = await forget.request(caller)
    assert (asked.status, asked.progress.done, asked.result) == ("cooling_off", 0, None)
    assert await forget.begin(caller.subject, asked.id) == ("erasing", list(forget.ASKED))
    for number in (1, 1, 2):
        assert await forget.ask(caller.subject, asked.id, number) == ("erasing", list(forget.ASKED))
    for _ in range(2):
        await answered(asked.id, caller, *forget.ASKED)
    assert await forget.ask(caller.subject, asked.id, 3) == ("erasing", [])
    for _ in range(2):
        assert await forget.finish(caller.subject, asked.id) == "erased"
    found = await forget.get(caller, asked.id)
    assert found.status == "erased"
    assert found.progress == forget.Progress(len(forget.ASKED), len(forget.ASKED))
    assert found.result is not None
    assert [answer.service for answer in found.result.services] == ["accounts", *forget.ASKED]
    assert found.result.silent == ()
    items = [item async for item in store.ACCOUNTS.query("SELECT * FROM c", {}, key=caller.subject)]
    for marker in (caller.email, caller.name, "High Street", "contact"):
        assert marker not in json.dumps(items)
    assert [type(data).__name__ for data in await told(store.ACCOUNTS, caller.subject)] == [
        "ErasureRequested", "ErasureStarted", "ErasureStarted", "ErasureDone",
    ]  # fmt: skip


async def test_an_account_that_told_much_of_itself_is_erased_as_well() -> None:
    caller = someone()
    for number in range(store.MAX_BATCH + 5):
        await service.change(caller, ChangeAccount(language="de" if number % 2 == 0 else "en"), None)
    parked = {"id": "parked:account.changed.v1:x", "account_id": caller.subject, "kind": "parked", "event": {}}
    await store.ACCOUNTS.upsert({**parked, "outbox_id": "x", "reason": "too large"})
    asked = await forget.request(caller)
    await forget.begin(caller.subject, asked.id)
    await answered(asked.id, caller, *forget.ASKED)
    await forget.finish(caller.subject, asked.id)
    assert await store.ACCOUNTS.read("parked:account.changed.v1:x", caller.subject) is None
    names = [type(data).__name__ for data in await told(store.ACCOUNTS, caller.subject)]
    assert names == ["ErasureRequested", "ErasureDone"]


async def test_who_asks_at_the_same_moment_or_again_asks_for_one_erasure() -> None:
    caller = someone()
    found = await asyncio.gather(*(forget.request(caller) for _ in range(6)))
    assert len({view.id for view in found}) == 1
    assert (await forget.request(caller)).id == found[0].id
    assert len([data for data in await told(store.ACCOUNTS, caller.subject) if "Requested" in type(data).__name__]) == 1


async def test_an_erasure_is_refused_while_an_order_is_open() -> None:
    caller = someone()
    done, still, _ = await placed(caller, "cancel"), await placed(caller), await placed(someone())
    asked = await forget.request(caller)
    requested = ErasureRequested(erasure_id=asked.id, account_id=caller.subject, due_at=asked.due_at)
    for _ in range(2):
        await erasure.object_to(event(requested, asked.id, "accounts"), requested)
    (refusal,) = await told(orders.ORDERS, asked.id)
    assert isinstance(refusal, ErasureRefused) and refusal.orders == [still] and done != still
    for _ in range(2):
        await forget.hear_refusal(event(refusal, asked.id), refusal)
    found = await forget.get(caller, asked.id)
    assert (found.status, found.orders) == ("refused", (still,))
    assert (await forget.begin(caller.subject, asked.id))[0] == "refused"
    assert (await service.me(caller))[0].email == caller.email
    assert (await forget.request(caller)).id != asked.id, "it may be asked for again"


async def test_an_erasure_is_not_refused_for_orders_that_have_ended() -> None:
    caller = someone()
    await placed(caller, "cancel")
    asked = await forget.request(caller)
    requested = ErasureRequested(erasure_id=asked.id, account_id=caller.subject, due_at=asked.due_at)
    await erasure.object_to(event(requested, asked.id, "accounts"), requested)
    assert await told(orders.ORDERS, asked.id) == []


async def test_a_refusal_that_comes_when_it_has_begun_stops_nothing() -> None:
    caller = someone()
    asked = await forget.request(caller)
    await forget.begin(caller.subject, asked.id)
    refusal = ErasureRefused(erasure_id=asked.id, account_id=caller.subject, orders=["ord_a"])
    await forget.hear_refusal(event(refusal, asked.id), refusal)
    assert (await forget.get(caller, asked.id)).status == "erasing"


async def test_there_is_a_way_back_until_it_begins() -> None:
    caller = someone()
    asked = await forget.request(caller)
    for _ in range(2):
        assert (await forget.withdraw(caller, asked.id)).status == "withdrawn"
    assert (await forget.begin(caller.subject, asked.id))[0] == "withdrawn"
    assert await forget.finish(caller.subject, asked.id) == "withdrawn"
    assert (await service.me(caller))[0].email == caller.email
    again = await forget.request(caller)
    assert again.id != asked.id
    await forget.begin(caller.subject, again.id)
    with pytest.raises(Conflict, match="nothing to withdraw"):
        await forget.withdraw(caller, again.id)


async def test_of_a_withdrawal_and_a_beginning_at_the_same_moment_one_happens() -> None:
    for _ in range(5):
        caller = someone()
        asked = await forget.request(caller)
        await asyncio.gather(
            forget.withdraw(caller, asked.id), forget.begin(caller.subject, asked.id), return_exceptions=True
        )
        status = (await forget.get(caller, asked.id)).status
        account = store.account_of(await store.get(caller.subject) or {})
        assert (status, account.erasure_id) in (("withdrawn", ""), ("erasing", asked.id))


async def test_someone_elses_erasure_does_not_exist() -> None:
    asked = await forget.request(someone())
    for act in (forget.get, forget.withdraw):
        with pytest.raises(NotFound):
            await act(someone(), asked.id)


async def test_who_never_answers_is_named() -> None:
    caller = someone()
    asked = await forget.request(caller)
    await forget.begin(caller.subject, asked.id)
    await answered(asked.id, caller, *forget.ASKED[1:])
    assert await forget.finish(caller.subject, asked.id) == "incomplete"
    found = await forget.get(caller, asked.id)
    assert found.result is not None and found.result.silent == forget.ASKED[:1]
    assert await store.get(caller.subject) is None, "what is here is erased all the same"


async def test_what_was_changed_after_it_began_is_erased_too() -> None:
    caller = someone()
    asked = await forget.request(caller)
    await forget.begin(caller.subject, asked.id)
    await answered(asked.id, caller, *forget.ASKED)
    await service.change(caller, ChangeAccount(name="Bea"), None)
    assert await forget.finish(caller.subject, asked.id) == "erased"
    assert await store.get(caller.subject) is None


async def placed(caller: Principal, *moves: Any, listed: bool = True) -> str:
    """An order of the caller, as orders keeps it."""
    order_id, at = f"ord_{secrets.token_hex(8)}", timestamp()
    order = domain.place(
        order_id=order_id,
        customer_id=caller.subject,
        lines=(domain.OrderLine("A1", "Thing", 1, TOTAL),),
        shipping_address=domain.Address(caller.name, "1 High Street", "London", "N1 1AA", "GB", "Flat 2"),
        at=at,
        request_hash="abc",
    )
    await orders.add(order, confirmed(caller))
    if listed:
        await orders.enlist(caller.subject, order_id, at, ["A1"])
    for command in moves:
        moved = domain.transition(order, command, at, "timed_out")
        await orders.advance(order, moved, confirmed(caller))
        order = moved
    return order_id


async def test_orders_redacts_what_has_ended_and_answers_when_all_has() -> None:
    caller, other = someone(), someone()
    done, still, others = await placed(caller, "cancel"), await placed(caller), await placed(other, "cancel")
    started = ErasureStarted(erasure_id=f"era_{secrets.token_hex(4)}", account_id=caller.subject)
    await erasure.erase(event(started, started.erasure_id), started)
    assert await told(orders.ORDERS, started.erasure_id) == []
    order = await orders.get(done)
    assert order is not None
    assert order.shipping_address == domain.Address("(erased)", "(erased)", "(erased)", "(erased)", "GB")
    assert (order.request_hash, order.total, order.status) == ("", TOTAL, "cancelled")
    open_order = await orders.get(still)
    assert open_order is not None and open_order.shipping_address.name == caller.name, "it has yet to be sent"
    await orders.advance(
        open_order, domain.transition(open_order, "cancel", timestamp(), "timed_out"), confirmed(caller)
    )
    for _ in range(2):
        await erasure.erase(event(started, started.erasure_id), started)
    items = [item async for item in orders.ORDERS.query("SELECT * FROM c", {}, key=still)]
    assert caller.name not in json.dumps(items)
    (answer,) = await told(orders.ORDERS, started.erasure_id)
    assert isinstance(answer, ErasureAnswered)
    assert answer.erased == [
        "names and addresses that orders went to",
        "fingerprints of the last twenty ways to pay, where a rule of approval counts them",
    ]
    assert answer.kept[0].what in answer.erased, "of what is redacted something is left"
    untouched = await orders.get(others)
    assert untouched is not None and untouched.shipping_address.name == other.name


async def test_an_order_that_is_in_no_list_yet_is_found_by_its_customers_record() -> None:
    caller = someone()
    order_id = await placed(caller, "cancel", listed=False)
    order = await orders.get(order_id)
    assert order is not None
    entry = Open(order.placed_at, order.total, ahead=True)
    await orders.keep_customer(Customer(caller.subject, open={order_id: entry, "ord_never": entry}), "")
    started = ErasureStarted(erasure_id=f"era_{secrets.token_hex(4)}", account_id=caller.subject)
    await erasure.erase(event(started, started.erasure_id), started)
    redacted = await orders.get(order_id)
    assert redacted is not None and redacted.shipping_address.name == erasure.ERASED
    assert len(await told(orders.ORDERS, started.erasure_id)) == 1


async def test_carts_removes_the_customers_carts_and_payments_says_what_it_keeps() -> None:
    caller, other = someone(), someone()
    own, kept = (await carts.open_cart(caller, ""))[0], (await carts.open_cart(other, ""))[0]
    started = ErasureStarted(erasure_id=f"era_{secrets.token_hex(4)}", account_id=caller.subject)
    for _ in range(2):
        await carts.erase(event(started, started.erasure_id), started)
        await payments.erase(event(started, started.erasure_id), started)
    with pytest.raises(NotFound):
        await carts.get(caller, own.id)
    assert (await carts.get(other, kept.id))[0] == kept
    (of_carts,) = await told(Container("carts", "carts", "cart_id"), started.erasure_id)
    (of_payments,) = await told(payments_store.PAYMENTS, started.erasure_id)
    assert isinstance(of_carts, ErasureAnswered) and isinstance(of_payments, ErasureAnswered)
    assert (of_carts.erased, of_carts.kept) == (["carts and what is in them"], [])
    assert of_payments.erased == [] and len(of_payments.kept) == 1
