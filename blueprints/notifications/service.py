"""What notifications can do: know whom to write to, write once for each fact, try again, and forget.

An e-mail is written down before it is sent, and each try before it is made. A try whose end is not known is asked about
at the provider before there is another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import msgspec

from blueprints.notifications import domain, letter, provider, store
from blueprints.notifications.declaration import SERVICE
from blueprints.notifications.domain import Facts, Kind, Mail, Recipient
from shared import data_export
from shared.clock import parse_timestamp, timestamp, utc_now
from shared.contracts.accounts import (
    AccountChanged,
    ErasureDone,
    ErasureRequested,
    ErasureStarted,
    ErasureWithdrawn,
    ExportReady,
    ExportStarted,
)
from shared.contracts.event import Event
from shared.contracts.orders import OrderCancelled, OrderConfirmed
from shared.errors import Transient
from shared.patterns import Timestamp
from shared.personal_data import answer
from shared.sealing import unseal
from shared.settings import CONTACT_KEY, settings
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.paging import Page, decode_cursor, encode_cursor

FORGOTTEN = 2**31
"""Version of a recipient who was forgotten: nothing that their account told before is later."""

log = Log("notifications")


class MailView(msgspec.Struct, frozen=True):
    """An e-mail as the API shows it to whom it was sent."""

    id: str
    kind: Kind
    address: str
    subject: str
    text: str
    sent_at: Timestamp


async def list_by_recipient(caller: Principal, cursor: str | None, limit: int) -> Page[MailView]:
    """What was written to the caller, newest first."""
    found = await store.list_by_recipient(caller.subject, decode_cursor(cursor, caller.subject), limit + 1)
    page = list(map(_view, found[:limit]))
    more = len(found) > limit
    return Page(items=page, next_cursor=encode_cursor(found[limit - 1].sort_key, caller.subject) if more else None)


async def hear_account(event: Event, data: AccountChanged) -> None:
    """Know whom to write to, and write what has waited for that; whoever has just agreed to more is welcomed, once."""
    await store.keep_recipient(
        Recipient(
            recipient_id=data.account_id,
            created_at=data.created_at,
            version=event.version,
            language=data.language,
            marketing=data.marketing,
            contact=data.contact or "",
        )
    )
    await _try(store.waiting(data.account_id))
    if data.marketing:
        await _tell(event, data.account_id, "welcome", data.created_at, Facts())


async def hear_confirmed(event: Event, data: OrderConfirmed) -> None:
    """Tell that an order is confirmed."""
    await _tell(
        event, data.customer_id, "order_confirmed", data.order_id, Facts(order_id=data.order_id, total=data.total)
    )


async def hear_cancelled(event: Event, data: OrderCancelled) -> None:
    """Tell that an order is cancelled, and why."""
    facts = Facts(order_id=data.order_id, reason=data.reason)
    await _tell(event, data.customer_id, "order_cancelled", data.order_id, facts)


async def hear_erasure(event: Event, data: ErasureRequested) -> None:
    """Tell that somebody asked to erase the account: it may not have been its owner."""
    facts = Facts(erasure_id=data.erasure_id, due_at=data.due_at)
    await _tell(event, data.account_id, "erasure_requested", data.erasure_id, facts)


async def hear_withdrawn(event: Event, data: ErasureWithdrawn) -> None:
    """Tell that the account stays."""
    await _tell(event, data.account_id, "erasure_withdrawn", data.erasure_id, Facts(erasure_id=data.erasure_id))


async def erase(event: Event, data: ErasureStarted) -> None:
    """Delete what was written to the customer, and answer. Their address stays for the last e-mail."""
    await store.remove_all(data.account_id)
    await answer(SERVICE, store.MAILS, data)


async def hear_erased(event: Event, data: ErasureDone) -> None:
    """Tell that the account is erased, and forget the address; what is written then leaves nothing either."""
    facts = Facts(erasure_id=data.erasure_id, complete=data.complete)
    await _tell(event, data.account_id, "erasure_done", data.erasure_id, facts)


async def export(event: Event, data: ExportStarted) -> None:
    """Tell what was written to the customer."""
    mails = await store.list_by_recipient(data.account_id, None, data_export.MAX_ITEMS + 1)
    await data_export.answer(store.MAILS, data, data_export.held(mails=list(map(_view, mails))))


async def hear_export(event: Event, data: ExportReady) -> None:
    """Tell that what the shop holds of them can be downloaded: it may not have been the owner who asked."""
    facts = Facts(export_id=data.export_id, due_at=data.expires_at, complete=data.complete)
    await _tell(event, data.account_id, "export_ready", data.export_id, facts)


async def try_again() -> None:
    """Try what could not be sent before."""
    await _try(store.due(timestamp()))


async def _try(mails: AsyncIterator[Mail]) -> None:
    async for mail in mails:
        try:
            await _deliver(mail)
        except Transient:
            log.warning("mail.waits", mail_id=mail.id, attempts=mail.attempts)
        except Exception as exc:
            log.error("mail.undeliverable", exc_info=exc, mail_id=mail.id)


async def _tell(event: Event, recipient_id: str, kind: Kind, fact: str, facts: Facts) -> None:
    """Write the e-mail down, once for each fact, and try to send it. What fails is tried again later."""
    if not recipient_id:  # an event of a release that did not say whose order it is
        return
    mail_id = f"{kind}:{fact}"
    mail = Mail(mail_id, recipient_id, kind, facts, event.time, f"{event.time}|{mail_id}", _after(domain.FIRST_PAUSE))
    if await store.add(mail):
        try:
            await _deliver(mail)
        except Transient:
            log.warning("mail.waits", mail_id=mail_id, attempts=0)


async def _deliver(mail: Mail) -> None:
    """Send it, unless it was sent, is not wanted, or is too old. Raises Transient."""
    recipient = await store.get_recipient(mail.recipient_id)
    if (utc_now() - parse_timestamp(mail.created_at)).total_seconds() > domain.PATIENCE:
        await _end(mail, replace(domain.transition(mail, "fail"), text=""))
        return
    if recipient is None or not recipient.contact:
        await _wait(mail)
        return
    if not domain.is_wanted(mail.kind, recipient):
        await _end(mail, domain.transition(mail, "drop"))
        return
    address = unseal(recipient.contact, settings().text(CONTACT_KEY))
    written = letter.write(mail, recipient.language)
    name = provider.operation_id(mail.recipient_id, mail.id)
    fate = await provider.fate(name) if mail.attempts else "unknown"
    sent = replace(mail, sent_at=timestamp(), address=address, subject=written.subject, text=written.text)
    if fate == "unknown":
        trying = replace(mail, attempts=mail.attempts + 1, due_at=_after(domain.pause(mail.attempts + 1)))
        if not await store.change(mail, trying):
            return  # somebody else tries, or it is gone
        mail, sent = trying, replace(sent, attempts=trying.attempts, due_at=trying.due_at)
        try:
            await provider.send(name, address, written)
        except provider.Refused as exc:
            log.error("mail.refused", mail_id=mail.id, code=exc.code)
            fate = "failed"
    await _end(mail, domain.transition(sent, "send") if fate != "failed" else domain.transition(mail, "fail"))


async def _wait(mail: Mail) -> None:
    """Nobody knows where to write to yet: accounts may tell."""
    await store.change(mail, replace(mail, attempts=mail.attempts + 1, due_at=_after(domain.pause(mail.attempts + 1))))


async def _end(before: Mail, after: Mail) -> None:
    """Write down what became of an e-mail. After the last one to somebody, they are forgotten."""
    if after.kind == "erasure_done":
        await _forget(after)
        after = replace(after, address="", subject="", text="")
    await store.change(before, after)
    say = log.error if after.status == "failed" else log.info
    say(f"mail.{after.status}", mail_id=after.id, kind=after.kind, attempts=after.attempts)


async def _forget(last: Mail) -> None:
    """Forget the address, and every e-mail but the last one's id, by which a repeat of its event is known.

    What the account told before and comes late does not bring the address back; an account that began since is another.
    """
    recipient = await store.get_recipient(last.recipient_id)
    if recipient is not None and recipient.created_at < last.created_at:
        await store.keep_recipient(Recipient(last.recipient_id, recipient.created_at, FORGOTTEN))
    await store.remove_all(last.recipient_id, but=last.id)


def _view(mail: Mail) -> MailView:
    return MailView(mail.id, mail.kind, mail.address, mail.subject, mail.text, mail.sent_at)


def _after(seconds: float) -> str:
    return timestamp(utc_now() + timedelta(seconds=seconds))
