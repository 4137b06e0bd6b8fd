"""Accounts in Cosmos DB.

`accounts` by /account_id   the account with its addresses; beside it its outbox and what its owner asked for
`answers` by /erasure_id    which service has answered an erasure, and what
`exports` by /export_id     what the services told for an export (`export_store.py`)
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from blueprints.accounts.declaration import SERVICE
from blueprints.accounts.domain import Account, Answered, Erasure
from shared.acting import record_act
from shared.contracts.event import EventData
from shared.persistence.cosmos import (
    AlreadyExists,
    ConditionFailed,
    Container,
    Document,
    ItemNotFound,
    Operation,
    create,
    delete,
    replace,
)
from shared.persistence.documents import document_of, read_as, readable
from shared.persistence.outbox import enqueue_event

ACCOUNTS = Container.of(SERVICE, "accounts")
ANSWERS = Container.of(SERVICE, "answers")

ITEM = "account"
"""Id of the account's own item in its partition."""
ANSWERS_RETENTION = 365 * 24 * 3600
"""Seconds that the answers stay: longer than any erasure takes; the certificate has them."""
MAX_BATCH = 90
"""Items that one batch deletes, beside what it writes: a batch has 100 operations."""
_OF_ACCOUNT = "STARTSWITH(c.id, 'outbox:account.') OR STARTSWITH(c.id, 'parked:account.')"


async def get(account_id: str) -> Document | None:
    return await ACCOUNTS.read(ITEM, account_id)


def account_of(document: Mapping[str, Any]) -> Account:
    """The account an item holds. Raises Unreadable."""
    return read_as(ACCOUNTS, {**document, "id": document.get("account_id")}, Account)


async def save(account: Account, etag: str | None, event: EventData | None) -> Document:
    """Write a new account (no `etag`) or the next version of the one at `etag`, and the event that tells of it.

    Raises AlreadyExists or ConditionFailed where someone else was faster.
    """
    write = written(account, etag)
    outbox = [] if event is None else [enqueue_event(ACCOUNTS, account.id, event, version=account.version)]
    [saved, *_] = await ACCOUNTS.batch(account.id, [write, *outbox])
    return saved


def written(account: Account, etag: str | None) -> Operation:
    """Batch operation: the account is new (no `etag`), or the next version of the one at `etag`."""
    document = document_of(account, account_id=account.id, kind="account", email_key=email_key(account.email))
    document["id"] = ITEM
    return create(document) if etag is None else replace(document, etag)


async def find(email: str, limit: int) -> list[Account]:
    """At most `limit` of the accounts with that e-mail address, whatever case it is written in."""
    query = "SELECT * FROM c WHERE c.email_key = @email"
    documents = await ACCOUNTS.first(query, {"@email": email_key(email)}, limit)
    return list(readable(ACCOUNTS, ({**each, "id": each["account_id"]} for each in documents), Account))


def email_key(email: str) -> str:
    return email.casefold()


async def get_erasure(account_id: str, erasure_id: str) -> tuple[Erasure, str] | None:
    """An erasure of that account, and its ETag."""
    document = await ACCOUNTS.read(erasure_id, account_id)
    return None if document is None else (read_as(ACCOUNTS, document, Erasure), document["_etag"])


async def erasures(account_id: str) -> list[Erasure]:
    """The erasures of that account, the last one first."""
    query = "SELECT * FROM c WHERE c.kind = 'erasure'"
    found = [document async for document in ACCOUNTS.query(query, {}, key=account_id)]
    return sorted(readable(ACCOUNTS, found, Erasure), key=lambda each: (each.requested_at, each.id), reverse=True)


async def add_erasure(account: Account, etag: str | None, erasure: Erasure, event: EventData) -> None:
    """Write a new erasure, the account that points to it, and the event that tells of it.

    `etag`: that of the account, `None` for a new one. Raises ConditionFailed or AlreadyExists where someone else
    was faster.
    """
    await ACCOUNTS.batch(
        account.id, [written(account, etag), create(_document(erasure)), _tell(erasure, event, erasure.version)]
    )


async def drop_erasure(account: Account, etag: str, erasure: Erasure, its_etag: str, event: EventData | None) -> None:
    """Write an erasure that does not happen, the account that points to none, and the event, if any.

    Raises ConditionFailed.
    """
    outbox = [] if event is None else [_tell(erasure, event, erasure.version)]
    writes = [written(account, etag), replace(_document(erasure), its_etag), *outbox]
    await ACCOUNTS.batch(account.id, writes)


async def advance_erasure(erasure: Erasure, etag: str) -> None:
    """Write one move of an erasure, of which no event tells. Raises ConditionFailed."""
    await ACCOUNTS.batch(erasure.account_id, [replace(_document(erasure), etag)])


async def tell_of_erasure(erasure: Erasure, event: EventData, version: int) -> None:
    """Put an event of the erasure into the outbox, unless it is there already."""
    with suppress(AlreadyExists):
        await ACCOUNTS.batch(erasure.account_id, [_tell(erasure, event, version)])


async def end(erasure: Erasure, etag: str, event: EventData) -> None:
    """Write that an erasure is over, and delete the account with everything that it told of itself, in one batch.

    Raises ConditionFailed where the erasure or the account has changed meanwhile.
    """
    account_id = erasure.account_id
    account = await get(account_id)  # before what it points to: whatever it is asked from now on changes it
    query = f"SELECT c.id FROM c WHERE c.kind = 'export' OR {_OF_ACCOUNT}"  # noqa: S608 - fixed text
    gone = [item["id"] async for item in ACCOUNTS.query(query, {}, key=account_id)]
    for first in range(MAX_BATCH, len(gone), MAX_BATCH):
        await ACCOUNTS.batch(account_id, [delete(item_id) for item_id in gone[first : first + MAX_BATCH]])
    act = record_act(ACCOUNTS, account_id, erasure.id, {"status": "erasing"}, {"status": erasure.status})
    writes = [replace(_document(erasure), etag), _tell(erasure, event, erasure.version), *act]
    writes += [delete(item_id) for item_id in gone[:MAX_BATCH]]
    writes += [] if account is None else [delete(ITEM, account["_etag"])]
    try:
        await ACCOUNTS.batch(account_id, writes)
    except ItemNotFound as exc:
        raise ConditionFailed("an item that was to be deleted is gone already") from exc


async def record(erasure_id: str, answered: Answered) -> None:
    """Keep what a service answered: the first answer counts, and the later ones say the same."""
    document = document_of(answered, id=answered.service, erasure_id=erasure_id, ttl=ANSWERS_RETENTION)
    with suppress(AlreadyExists):
        await ANSWERS.create(document)


async def answers(erasure_id: str) -> list[Answered]:
    """What was answered so far, by service."""
    found = [document async for document in ANSWERS.query("SELECT * FROM c", {}, key=erasure_id)]
    return sorted(readable(ANSWERS, found, Answered), key=lambda answered: answered.service)


def _document(erasure: Erasure) -> Document:
    return document_of(erasure, kind="erasure")


def _tell(erasure: Erasure, event: EventData, version: int) -> Operation:
    return enqueue_event(ACCOUNTS, erasure.account_id, event, version=version, subject=erasure.id)
