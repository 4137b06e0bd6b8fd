"""Letters in Cosmos DB: `letters` by /member_id."""

from __future__ import annotations

from contextlib import suppress

from blueprints.letters.declaration import SERVICE

from shared.persistence.cosmos import AlreadyExists, Container

LETTERS = Container.of(SERVICE, "letters")


async def get(member_id: str) -> str | None:
    document = await LETTERS.read(member_id, member_id)
    return None if document is None else str(document["text"])


async def add(member_id: str, text: str) -> None:
    with suppress(AlreadyExists):
        await LETTERS.create({"id": member_id, "member_id": member_id, "text": text})
