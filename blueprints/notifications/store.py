"""Notifications in Cosmos DB.

`recipients` by /recipient_id   whom to write to: what accounts told, with the address sealed
`mails` by /recipient_id        one item for each fact, with what was sent, gone after a while; and the outbox
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from blueprints.notifications.declaration import SERVICE
from blueprints.notifications.domain import Mail, Recipient
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, Container, Document, ItemNotFound
from shared.persistence.documents import document_of, read_as, readable

RECIPIENTS = Container.of(SERVICE, "recipients")
MAILS = Container.of(SERVICE, "mails")

RETENTION = 90 * 24 * 3600
"""Seconds that what was sent is kept, for who asks what the shop wrote; long after any event can come again."""
AT_MOST = 100
"""E-mails that one round tries; the rest waits for the next."""


async def get_recipient(recipient_id: str) -> Recipient | None:
    document = await RECIPIENTS.read(recipient_id, recipient_id)
    return None if document is None else read_as(RECIPIENTS, document, Recipient)


async def keep_recipient(recipient: Recipient) -> None:
    """Keep what accounts told, unless something later is already here: of this account, or of its successor."""
    document = document_of(recipient, id=recipient.recipient_id)
    try:
        await RECIPIENTS.create(document)
        return
    except AlreadyExists:
        pass
    changes = [
        {"op": "set", "path": f"/{name}", "value": value}
        for name, value in document.items()
        if name not in ("id", "recipient_id")
    ]
    # both are ours: a time of `shared.clock.timestamp` and a number
    at, version = recipient.created_at, recipient.version
    earlier = f"from c where c.created_at < '{at}' or (c.created_at = '{at}' and c.version < {version})"
    with suppress(ConditionFailed):
        await RECIPIENTS.patch(recipient.recipient_id, recipient.recipient_id, changes, earlier)


async def add(mail: Mail) -> bool:
    """Write a new e-mail that is to be sent. False where the fact was heard before."""
    try:
        await MAILS.create(document_of(mail, kind_of_item="mail", ttl=RETENTION))
    except AlreadyExists:
        return False
    return True


async def get(recipient_id: str, mail_id: str) -> Mail | None:
    document = await MAILS.read(mail_id, recipient_id)
    return None if document is None else mail_of(document)


def mail_of(document: Mapping[str, Any]) -> Mail:
    """The e-mail an item holds. Raises Unreadable."""
    return read_as(MAILS, document, Mail)


async def change(before: Mail, after: Mail) -> bool:
    """Write another state of an e-mail. False where somebody else has, since it was read, or it is gone."""
    old, new = document_of(before), document_of(after)
    changes = [{"op": "set", "path": f"/{name}", "value": new[name]} for name in new if new[name] != old[name]]
    unchanged = f"from c where c.status = '{before.status}' and c.attempts = {before.attempts}"
    try:
        await MAILS.patch(after.id, after.recipient_id, changes, unchanged)
    except (ConditionFailed, ItemNotFound):
        return False
    return True


def due(now: str) -> AsyncIterator[Mail]:
    """E-mails that wait for another try whose time has come."""
    query = f"SELECT TOP {AT_MOST} * FROM c WHERE c.status = 'due' AND c.due_at < @now"  # noqa: S608 - fixed text
    return _found(query, {"@now": now})


def waiting(recipient_id: str) -> AsyncIterator[Mail]:
    """E-mails to the recipient that wait for another try, whether or not its time has come."""
    query = f"SELECT TOP {AT_MOST} * FROM c WHERE c.status = 'due'"  # noqa: S608 - fixed text
    return _found(query, {}, recipient_id)


async def _found(query: str, parameters: Mapping[str, str], recipient_id: str | None = None) -> AsyncIterator[Mail]:
    documents: list[Document] = [item async for item in MAILS.query(query, parameters, key=recipient_id)]
    for mail in readable(MAILS, documents, Mail):
        yield mail


async def list_by_recipient(recipient_id: str, before: str | None, limit: int) -> list[Mail]:
    """At most `limit` of what was written to the recipient, newest first, after the sort key `before`."""
    condition = "" if before is None else " AND c.sort_key < @before"
    query = f"SELECT * FROM c WHERE c.status = 'sent'{condition} ORDER BY c.sort_key DESC"  # noqa: S608 - fixed text
    parameters = {} if before is None else {"@before": before}
    return list(readable(MAILS, await MAILS.first(query, parameters, limit, recipient_id), Mail))


async def remove_all(recipient_id: str, but: str = "") -> None:
    """Delete what was written to the recipient, and what is still to be, but for one."""
    query = "SELECT c.id FROM c WHERE c.kind_of_item = 'mail'"
    for mail_id in [item["id"] async for item in MAILS.query(query, {}, key=recipient_id)]:
        if mail_id != but:
            await MAILS.delete(mail_id, recipient_id)
