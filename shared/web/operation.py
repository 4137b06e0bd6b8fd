"""What one HTTP operation demands and gives: the API's document and the gateway's policies are written from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from shared.declaration import STAFF, Scope, Undeclared
from shared.errors import InvalidRequest

JSON = "application/json"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class PathParameter:
    """One part of a path. A value that `pattern` does not match names nothing."""

    name: str
    description: str
    pattern: re.Pattern[str]
    example: str


@dataclass(frozen=True)
class Parameter:
    """One query parameter. `schema` is what the API's document says of it; the operation itself checks it."""

    name: str
    description: str
    schema: Mapping[str, Any]

    def choice(self, query: Mapping[str, str]) -> str | None:
        """Which of its values was asked for. Raises InvalidRequest for any other."""
        value = query.get(self.name)
        if value is not None and value not in self.schema["enum"]:
            raise InvalidRequest(f"{self.name} must be one of {', '.join(self.schema['enum'])}")
        return value


@dataclass(frozen=True)
class Header:
    """One header of a request, which must be there. `example` is one that the operation refuses: it proves nothing."""

    name: str
    description: str
    example: str


@dataclass(frozen=True)
class Upload:
    """A body that is a file: one of these media types, at most so many bytes. The operation itself reads it."""

    media_types: tuple[str, ...]
    max_bytes: int


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What one HTTP operation demands and gives. `scope` `None` is open to anyone.

    `id` is the function's name; `path` begins behind the version. `returns` is the type of a good answer's body, which
    is bytes where `media_type` is another than JSON's;
    `problems` are error statuses beyond those that follow from the rest.

    Headers of a request: `idempotency_key`, which may be required; `if_match` and `if_none_match`, where it may name an
    ETag; `signature`, by which the sender of a body, who has no token, proves itself. Of an answer: `etag`; `location`,
    of what was made. `owners`: the services that have it alike, where its path names one of them.
    """

    id: str
    service: str
    name: str
    method: str
    path: str
    summary: str
    description: str = ""
    scope: Scope | None = None
    body: type[msgspec.Struct] | None = None
    upload: Upload | None = None
    returns: Any
    media_type: str = JSON
    status: tuple[int, ...] = (200,)
    problems: tuple[int, ...] = ()
    parts: tuple[PathParameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    idempotency_key: Literal["", "optional", "required"] = ""
    if_match: bool = False
    if_none_match: bool = False
    signature: Header | None = None
    etag: bool = False
    location: bool = False
    owners: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises Undeclared where path and parameters do not name the same parts."""
        named = [part.name for part in self.parts]
        if _PLACEHOLDER.findall(self.path) != named:
            raise Undeclared(f"{self.id} declares the parts {', '.join(named) or 'none'} of the path {self.path}")

    @property
    def gateway_id(self) -> str:
        """The id as API Management writes it when it imports the API's document."""
        return self.id.replace("_", "-")

    @property
    def roles(self) -> tuple[str, ...]:
        """Those of which a caller needs one; none where it is open to anyone."""
        return self.scope.roles if self.scope else ()

    @property
    def privileged(self) -> bool:
        """Only staff may do it."""
        return self.scope is not None and set(self.roles) <= set(STAFF)

    @property
    def takes_body(self) -> bool:
        """Whether a request has a body: of a shape that is checked, a file, or one that its signature covers."""
        return self.body is not None or self.upload is not None or self.signature is not None
