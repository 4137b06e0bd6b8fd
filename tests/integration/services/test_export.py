"""What is held of a person, against a real database: asked of every service, told in parts, downloaded, deleted."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import zipfile
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from blueprints.accounts import export_store, forget, gather, service, store
from blueprints.accounts.forget import Progress
from blueprints.accounts.service import ChangeAccount
from blueprints.carts import service as carts
from blueprints.carts import store as carts_store
from blueprints.notifications import service as notifications
from blueprints.notifications import store as notifications_store
from blueprints.notifications.domain import Facts, Mail
from blueprints.orders import erasure
from blueprints.orders import export as orders_export
from blueprints.orders import service as orders
from blueprints.orders import store as orders_store
from blueprints.payments import service as payments
from blueprints.payments import store as payments_store
from blueprints.payments.domain import Payment
from blueprints.shipping import domain as shipping_domain
from blueprints.shipping import service as shipping
from blueprints.shipping import store as shipping_store
from shared import data_export
from shared.clock import timestamp, utc_now
from shared.contracts.accounts import ErasureStarted, ExportReady, ExportStarted
from shared.contracts.event import EventData
from shared.contracts.orders import Line
from shared.contracts.personal_data import ExportAnswered, ExportListed
from shared.data_export import Held
from shared.errors import Conflict, Contention, NotFound
from shared.messaging import republish
from shared.persistence.cosmos import Container
from shared.sealing import private_key, public_key
from shared.settings import CONTACT_KEY
from shared.web.address import AddressIn
from shared.web.auth import Principal
from tests.integration.services.test_erasure import TOTAL, event, placed, someone
from tests.integration.services.test_erasure import answered as erased_by
from tests.integration.services.test_erasure import told as told_of

HOME = AddressIn(name="Ada", line1="1 High Street", city="London", postal_code="N1 1AA", country="GB")


@pytest.fixture(autouse=True)
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTACT_KEY.name, CONTACT_KEY.local or "")


async def told(container: Container, key: str, *kinds: type[EventData]) -> list[EventData]:
    return [data for data in await told_of(container, key) if not kinds or isinstance(data, kinds)]


async def started(caller: Principal) -> ExportStarted:
    """What accounts tells of the caller's export, the last time it did."""
    return [data for data in await told(store.ACCOUNTS, caller.subject) if isinstance(data, ExportStarted)][-1]


async def answered(asked: ExportStarted, name: str, held: Held, parts: slice = slice(None)) -> None:
    for part in data_export.parts_of(asked, held, name)[parts]:
        await gather.hear(event(part, asked.export_id, name, part.part), part)


async def everybody_answered(asked: ExportStarted) -> None:
    for name in gather.ASKED:
        await answered(asked, name, Held({name: [{"of": name}]}))


async def gathered(caller: Principal) -> str:
    """The id of an export of the caller that can be downloaded."""
    asked = (await gather.request(caller)).id
    await everybody_answered(await started(caller))
    assert await gather.finish(caller.subject, asked) == "ready"
    return asked


async def downloaded(caller: Principal, export_id: str) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(await gather.download(caller, export_id))) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


async def items(container: Container, key: str) -> str:
    return json.dumps([item async for item in container.query("SELECT * FROM c", {}, key=key)])


async def test_an_export_has_what_everybody_told_and_what_accounts_itself_holds() -> None:
    caller = someone()
    address, _ = await service.add_address(caller, "", HOME)
    asked = await gather.request(caller)
    assert (asked.status, asked.progress, asked.result) == ("gathering", Progress(0, 5), None)
    with pytest.raises(Conflict, match="cannot be downloaded"):
        await gather.download(caller, asked.id)
    assert await gather.ask(caller.subject, asked.id, 1) == list(gather.ASKED)
    for _ in range(2):
        await everybody_answered(await started(caller))
    assert (await gather.get(caller, asked.id)).progress == Progress(5, 5)
    assert await gather.ask(caller.subject, asked.id, 2) == []
    for _ in range(2):
        assert await gather.finish(caller.subject, asked.id) == "ready"
    found = await gather.get(caller, asked.id)
    assert found.result is not None and found.result.silent == ()
    files = await downloaded(caller, asked.id)
    assert files.pop("export.json")["services"]["carts"] == {"files": ["carts"], "complete": True}
    (account,) = files.pop("accounts/account.json")
    assert (account["email"], account["name"]) == (caller.email, caller.name)
    (shown,) = files.pop("accounts/addresses.json")
    assert (shown["id"], shown["line1"]) == (address.id, "1 High Street")
    assert files.pop("accounts/erasures.json") == []
    assert files == {f"{name}/{name}.json": [{"of": name}] for name in gather.ASKED}
    names = [type(data).__name__ for data in await told(store.ACCOUNTS, caller.subject, ExportStarted, ExportReady)]
    assert names == ["ExportStarted", "ExportReady"]


async def test_what_was_gathered_is_readable_nowhere_but_in_the_download() -> None:
    caller = someone()
    asked = (await gather.request(caller)).id
    mark = f"zz{secrets.token_hex(8)}"
    for name in gather.ASKED:
        await answered(await started(caller), name, Held({"things": [mark]}))
    assert mark not in await items(export_store.EXPORTS, asked)
    await gather.finish(caller.subject, asked)
    assert (await downloaded(caller, asked))["orders/things.json"] == [mark]
    key = json.loads(await items(store.ACCOUNTS, caller.subject))
    (private,) = [item["key"] for item in key if item.get("kind") == "export"]
    outbox = [item for item in key if item.get("kind") == "outbox"]
    assert outbox and private not in json.dumps(outbox)
    assert private not in repr(await export_store.get(caller.subject, asked))


async def test_who_asks_at_the_same_moment_or_again_asks_for_one_export() -> None:
    caller = someone()
    found = await asyncio.gather(*(gather.request(caller) for _ in range(6)))
    assert len({view.id for view in found}) == 1
    assert len(await told(store.ACCOUNTS, caller.subject, ExportStarted)) == 1
    await everybody_answered(await started(caller))
    await gather.finish(caller.subject, found[0].id)
    assert (await gather.request(caller)).id == found[0].id, "while it can be downloaded, it is the one"


async def test_an_answer_counts_once_its_every_part_is_there() -> None:
    caller = someone()
    asked = (await gather.request(caller)).id
    much = Held({"orders": [secrets.token_urlsafe(60_000) for _ in range(3)]})
    parts = data_export.parts_of(await started(caller), much, "orders")
    assert len(parts) > 1
    for part in (*reversed(parts[1:]), parts[-1]):
        await gather.hear(event(part, asked, "orders", part.part), part)
        assert "orders" in await gather.look_up(caller.subject, asked)
    await gather.hear(event(parts[0], asked, "orders", 1), parts[0])
    assert "orders" not in await gather.look_up(caller.subject, asked)
    await gather.finish(caller.subject, asked)
    files = await downloaded(caller, asked)
    assert files["orders/orders.json"] == much.files["orders"]
    assert files["export.json"]["silent"] == ["carts", "notifications", "payments", "shipping"]


async def test_who_is_silent_is_asked_again_and_named_in_the_end() -> None:
    caller = someone()
    asked = (await gather.request(caller)).id
    await answered(await started(caller), "orders", Held({"orders": []}))
    silent = [name for name in gather.ASKED if name != "orders"]
    for number in (1, 2, 2, 3):
        assert await gather.ask(caller.subject, asked, number) == silent
    assert len(await told(store.ACCOUNTS, caller.subject, ExportStarted)) == 3
    assert await gather.finish(caller.subject, asked) == "incomplete"
    view = await gather.get(caller, asked)
    assert view.result is not None and view.result.silent == tuple(silent)
    assert view.progress == Progress(1, 5)
    assert (await downloaded(caller, asked))["export.json"]["silent"] == silent
    (ready,) = await told(store.ACCOUNTS, caller.subject, ExportReady)
    assert isinstance(ready, ExportReady) and not ready.complete


async def test_someone_elses_export_does_not_exist() -> None:
    asked = await gathered(someone())
    for act in (gather.get, gather.withdraw, gather.download):
        with pytest.raises(NotFound):
            await act(someone(), asked)


async def test_an_export_is_gone_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = someone()
    asked = await gathered(caller)
    lifetimes = [item["ttl"] for item in json.loads(await items(export_store.EXPORTS, asked))]
    assert lifetimes == [24 * 3600] * 6
    found = await export_store.get(caller.subject, asked)
    assert found is not None
    later = utc_now() + timedelta(days=1, seconds=1)
    monkeypatch.setattr(gather, "utc_now", lambda: later)
    for act in (gather.get, gather.withdraw, gather.download):
        with pytest.raises(NotFound):
            await act(caller, asked)
    assert (await gather.request(caller)).id != asked


async def test_whoever_does_away_with_an_export_has_it_unreadable_at_once_and_may_ask_anew() -> None:
    caller = someone()
    asked = await gathered(caller)
    for _ in range(2):
        view = await gather.withdraw(caller, asked)
        assert (view.status, view.result, view.progress.done) == ("withdrawn", None, 0)
    with pytest.raises(Conflict):
        await gather.download(caller, asked)
    found = await export_store.get(caller.subject, asked)
    assert found is not None and found[0].key == ""
    again_ = await gather.request(caller)
    assert again_.id != asked
    late = await started(caller)
    await gather.withdraw(caller, again_.id)
    await everybody_answered(late)
    assert await items(export_store.EXPORTS, again_.id) == "[]", "what comes too late is not kept"
    assert await gather.ask(caller.subject, again_.id, 2) == []
    assert await gather.finish(caller.subject, again_.id) == "withdrawn"


async def test_of_a_withdrawal_and_an_end_at_the_same_moment_the_withdrawal_holds() -> None:
    for _ in range(5):
        caller = someone()
        asked = (await gather.request(caller)).id
        await everybody_answered(await started(caller))
        await asyncio.gather(
            gather.withdraw(caller, asked), gather.finish(caller.subject, asked), return_exceptions=True
        )
        assert (await gather.get(caller, asked)).status == "withdrawn"
        assert await gather.finish(caller.subject, asked) == "withdrawn"


async def test_who_is_forgotten_has_no_export() -> None:
    caller = someone()
    await service.change(caller, ChangeAccount(language="de"), None)
    asked = await gathered(caller)
    wish_id = (await forget.request(caller)).id
    await forget.begin(caller.subject, wish_id)
    assert (await gather.request(caller)).id == asked, "until it is done, what was gathered is still there"
    await gather.withdraw(caller, asked)
    with pytest.raises(Conflict, match="being erased"):
        await gather.request(caller)
    await erased_by(wish_id, caller, *forget.ASKED)
    assert await forget.finish(caller.subject, wish_id) == "erased"
    with pytest.raises(NotFound):
        await gather.get(caller, asked)
    assert '"kind": "export"' not in await items(store.ACCOUNTS, caller.subject)


async def test_an_export_that_is_under_way_ends_with_the_erasure() -> None:
    caller = someone()
    asked = (await gather.request(caller)).id
    late = await started(caller)
    wish_id = (await forget.request(caller)).id
    await forget.begin(caller.subject, wish_id)
    await erased_by(wish_id, caller, *forget.ASKED)
    await forget.finish(caller.subject, wish_id)
    await everybody_answered(late)
    assert await gather.ask(caller.subject, asked, 2) == []
    assert await gather.finish(caller.subject, asked) == "gone"
    assert await items(export_store.EXPORTS, asked) == "[]"


async def test_a_wish_at_the_very_end_of_an_erasure_leaves_no_export_of_the_account_that_is_gone() -> None:
    for _ in range(5):
        caller = someone()
        await service.me(caller)
        wish = (await forget.request(caller)).id
        await erased_by(wish, caller, *forget.ASKED)
        _, ended = await asyncio.gather(gather.request(caller), erased(caller, wish), return_exceptions=True)
        assert ended == "erased"
        account = await store.get(caller.subject)
        found = json.loads(await items(store.ACCOUNTS, caller.subject))
        exports = [item["id"] for item in found if item.get("kind") == "export"]
        assert exports == ([] if account is None else [account["export_id"]])


async def erased(caller: Principal, erasure_id: str) -> str:
    """The erasure from its beginning on, tried again where somebody changes the account meanwhile."""
    await forget.begin(caller.subject, erasure_id)
    for _ in range(8):
        with suppress(Contention):
            return await forget.finish(caller.subject, erasure_id)
    raise AssertionError("it never ended")


def asked_of(caller: Principal) -> tuple[str, ExportStarted, str]:
    """An export's id, what the services hear of it, and the key that opens what they tell."""
    key, export_id = private_key(), f"exp_{secrets.token_hex(8)}"
    return export_id, ExportStarted(export_id=export_id, account_id=caller.subject, key=public_key(key)), key


async def opened(container: Container, export_id: str, key: str) -> Held:
    parts = [part for part in await told(container, export_id) if isinstance(part, ExportAnswered)]
    assert [part.part for part in sorted(parts, key=lambda part: part.part)] == list(range(1, parts[0].parts + 1))
    return data_export.opened("".join(part.sealed for part in sorted(parts, key=lambda part: part.part)), key)


def plain(*views: Any) -> list[Any]:
    """As the API would write them."""
    return [msgspec.json.decode(msgspec.json.encode(view)) for view in views]


async def test_orders_tells_the_customers_orders_and_lists_them_for_who_knows_no_customers() -> None:
    caller, other = someone(), someone()
    first, second, _ = await placed(caller, "cancel"), await placed(caller), await placed(other)
    export_id, asking, key = asked_of(caller)
    for _ in range(2):
        await orders_export.export(event(asking, export_id, "accounts"), asking)
    held = await opened(orders_store.ORDERS, export_id, key)
    shown = [await orders.get(caller, order_id) for order_id in (second, first)]
    assert held == Held({"orders": plain(*shown), "returns": []})
    (listed,) = await told(orders_store.ORDERS, export_id, ExportListed)
    assert isinstance(listed, ExportListed) and listed.orders == [second, first] and listed.key == asking.key


async def test_payments_and_shipping_tell_of_the_customers_own_among_the_orders_that_are_listed() -> None:
    caller, other = someone(), someone()
    own, foreign = f"ord_{secrets.token_hex(8)}", f"ord_{secrets.token_hex(8)}"
    for order_id, owner in ((own, caller), (foreign, other)):
        await payments_store.add(Payment(order_id, owner.subject, "captured", 1, TOTAL, "pi_a"))
        record = shipping_domain.Fulfilment(order_id, owner.subject, {"A1": 1})
        await shipping_store.add(record)
    read = await shipping_store.get(own)
    assert read is not None
    export_id, asking, key = asked_of(caller)
    listed = ExportListed(
        export_id=export_id, account_id=caller.subject, key=asking.key, orders=[own, foreign, "ord_unknown"]
    )
    for _ in range(2):
        await payments.export(event(listed, export_id), listed)
        await shipping.export(event(listed, export_id), listed)
    paid = await opened(payments_store.PAYMENTS, export_id, key)
    assert paid == Held({"payments": plain(await payments.get(caller, own))})
    shipped = await opened(shipping_store.SHIPMENTS, export_id, key)
    assert shipped == Held({"shipments": []})


async def test_carts_and_notifications_tell_what_the_api_shows() -> None:
    caller, other = someone(), someone()
    cart, _ = await carts.open_cart(caller, "")
    cart, _ = await carts.set_line(caller, cart.id, "A1", 2, None)
    await carts.open_cart(other, "")
    at = timestamp()
    sent = Mail(
        "welcome:a", caller.subject, "welcome", Facts(), at, f"{at}|welcome:a", at, "sent", 1, at, "a@b", "S", "T"
    )
    await notifications_store.add(sent)
    export_id, asking, key = asked_of(caller)
    for _ in range(2):
        await carts.export(event(asking, export_id, "accounts"), asking)
        await notifications.export(event(asking, export_id, "accounts"), asking)
    held = await opened(carts_store.CARTS, export_id, key)
    assert held == Held({"carts": plain(cart)}) and cart.items == [Line("A1", 2)]
    mails = await opened(notifications_store.MAILS, export_id, key)
    assert mails == Held({"mails": plain(*(await notifications.list_by_recipient(caller, None, 10)).items)})
    assert [mail["subject"] for mail in mails.files["mails"]] == ["S"]


async def test_who_is_asked_again_tells_the_same_again_every_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = someone()
    sent: list[str] = []

    async def publish(topic: str, events: Any, repeat: str = "", spans: Any = None) -> None:
        sent.extend(each.id for each in events)

    monkeypatch.setattr(republish, "publish", publish)
    export_id, asking, _ = asked_of(caller)
    await orders_export.export(event(asking, export_id, "accounts"), asking)
    before = await items(orders_store.ORDERS, export_id)
    await placed(caller)
    assert sent == []
    await orders_export.export(event(asking, export_id, "accounts"), asking)
    assert sorted(sent) == [f"export.answered.v1:{export_id}:1", f"export.listed.v1:{export_id}:1"]
    assert await items(orders_store.ORDERS, export_id) == before


async def test_what_an_erasure_leaves_is_told_afterwards() -> None:
    caller = someone()
    order_id = await placed(caller, "cancel")
    gone = ErasureStarted(erasure_id=f"era_{secrets.token_hex(4)}", account_id=caller.subject)
    await erasure.erase(event(gone, gone.erasure_id, "accounts"), gone)
    export_id, asking, key = asked_of(caller)
    await orders_export.export(event(asking, export_id, "accounts"), asking)
    (order,) = (await opened(orders_store.ORDERS, export_id, key)).files["orders"]
    assert order["id"] == order_id and order["shipping_address"]["name"] == "(erased)"
