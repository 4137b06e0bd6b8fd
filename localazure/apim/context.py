"""What a policy sees of one request: the `context` object. Source: "API Management policy expressions"."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from localazure.apim.errors import Failure, GatewayError
from localazure.apim.model import Api, Operation, Product, Subscription

MAX_BUFFERED = 2 * 1024 * 1024
"""Bytes of a body that policies may look at. Source: "API Management limits", maximum size of a buffered payload."""
MAX_THROUGH = 128 * 1024 * 1024
"""Bytes of a body that goes through unseen. Azure has a limit of 1 GiB on Consumption; here it lies in memory, and the
Functions host takes no more than 100 MB."""


class Headers:
    """Header fields by name in any case, each with its values in order."""

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields: dict[str, tuple[str, list[str]]] = {}
        for name, value in (fields or {}).items():
            self.set(name, [value])

    def set(self, name: str, values: list[str]) -> None:
        self._fields[name.lower()] = (name, values)

    def add(self, name: str, value: str) -> None:
        self._fields.setdefault(name.lower(), (name, []))[1].append(value)

    def remove(self, name: str) -> None:
        self._fields.pop(name.lower(), None)

    def values(self, name: str) -> list[str] | None:
        found = self._fields.get(name.lower())
        return None if found is None else found[1]

    def get(self, name: str, default: str = "") -> str:
        """The values, comma-separated, as `GetValueOrDefault` gives them."""
        found = self._fields.get(name.lower())
        return default if found is None else ",".join(found[1])

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._fields

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, values in self._fields.values():
            for value in values:
                yield name, value

    def copy(self) -> Headers:
        other = Headers()
        other._fields = {key: (name, list(values)) for key, (name, values) in self._fields.items()}
        return other


class Body:
    """A message body: bytes at hand, or still on the wire until a policy or the backend asks for them."""

    def __init__(self, content: bytes = b"", *, reader: Callable[[int], Awaitable[bytes]] | None = None) -> None:
        self._content = content
        self._reader = reader
        self._consumed = False
        self._broken: GatewayError | None = None

    @property
    def pending(self) -> bool:
        """Nobody has read it from the wire yet, nor tried to."""
        return self._reader is not None

    async def load(self, limit: int = MAX_BUFFERED) -> bytes:
        """Everything. Raises GatewayError (413) for a body of more than `limit` bytes, which is then not read on.

        What could not be read once cannot be later: the same is raised again, and an expression that looks at it gets
        an exception that it can catch.
        """
        if self._broken is not None:
            raise self._broken
        if self._reader is not None:
            reader, self._reader = self._reader, None
            try:
                self._content = await reader(limit)
            except GatewayError as exc:
                self._broken = exc
                raise
        return self._content

    def look(self, preserve: bool) -> bytes:
        """The loaded content, as `Body.As<T>(preserveContent)` sees it."""
        if self._broken is not None:
            raise ValueError("the message body cannot be read")
        if self._consumed:
            raise ValueError("the message body has been read before; pass preserveContent: true to the first reading")
        assert not self.pending, "a policy that reads the body loads it first"
        self._consumed = not preserve
        return self._content

    @property
    def content(self) -> bytes:
        """What is sent on: nothing once an expression has consumed it."""
        return b"" if self._consumed else self._content


@dataclass
class Url:
    """An address. `query` keeps the parameters' order; a name may come more than once."""

    scheme: str
    host: str
    port: int
    path: str
    query: list[tuple[str, str]]
    raw_query: str = ""

    @classmethod
    def of(cls, scheme: str, host: str, port: int, path: str, query: str) -> Url:
        return cls(scheme, host, port, path, parse_qsl(query, keep_blank_values=True) if query else [], query)

    def copy(self) -> Url:
        """Another one, to be changed."""
        return Url(self.scheme, self.host, self.port, self.path, list(self.query), self.raw_query)

    def parameter(self, name: str) -> list[str] | None:
        """Every value of one query parameter; names are compared in any case, as the gateway does."""
        found = [value for key, value in self.query if key.lower() == name.lower()]
        return found or None


@dataclass
class Request:
    method: str
    url: Url
    original_url: Url
    headers: Headers
    ip: str
    body: Body | None
    matched: Mapping[str, str] = field(default_factory=dict)
    wrong: str = ""
    """What no policy and no backend can be given; empty for a request that is well formed."""


@dataclass
class Response:
    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    reason: str = ""

    def __post_init__(self) -> None:
        self.reason = self.reason or phrase(self.status)

    def copy(self) -> Response:
        return Response(self.status, self.headers.copy(), self.body, self.reason)


@dataclass(frozen=True)
class Jwt:
    """A validated token. Every claim is a list of texts, as `Jwt.Claims` has them."""

    claims: Mapping[str, list[str]]
    header: Mapping[str, Any]

    def first(self, name: str) -> str | None:
        found = self.claims.get(name)
        return found[0] if found else None


if TYPE_CHECKING:
    from localazure.apim.trace import Trace

After = Callable[["Context"], None]


@dataclass
class Context:
    """One request on its way. `response` is there from the backend's answer on, and always in on-error."""

    request: Request
    timestamp: float
    now: Callable[[], float]
    api: Api | None = None
    operation: Operation | None = None
    product: Product | None = None
    subscription: Subscription | None = None
    response: Response | None = None
    error: Failure | None = None
    backend: str = ""
    backend_url: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    sent_with_answer: Headers = field(default_factory=Headers)
    """Header fields that policies promised for the answer, whatever becomes of it: limits, CORS."""
    afterwards: list[After] = field(default_factory=list)
    """What is to be done when the answer is known: counters with conditions, bandwidth."""
    trace: Trace | None = None
    """Where each policy is noted, for a request that asked for it."""

    @cached_property
    def request_id(self) -> uuid.UUID:
        """Made when it is asked for: few policies do."""
        return uuid.uuid4()

    def fail(self, status: int, source: str, reason: str, message: str) -> GatewayError:
        """The error to raise."""
        return GatewayError(status, Failure(source, reason, message))


def phrase(status: int) -> str:
    """The standard reason phrase."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
