"""Requests as no client sends them, by the thousand: each is an ordinary one of the API, bent in one to three places.

What they carry besides is a mark, by which an answer that repeats a value of its request is known. The same seed makes
the same requests.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.declared import encoded, example_call, operations
from tests.e2e.odd_values import (
    BYTES,
    ENCODINGS,
    HOSTS,
    LATE,
    LENGTHS,
    MARK,
    METHODS,
    NUMBERS,
    TEXTS,
    TYPES,
    VERSIONS,
)

_FRAMING = frozenset({"length", "chunks", "header_name"})
"""What is said of the length of a body then need not be true."""


@dataclass
class Request:
    """One request on its way to be bent. `length` False: nothing says how long the body is."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    version: bytes = b"HTTP/1.1"
    length: bool = True
    bent: list[str] = field(default_factory=list)
    torn: bool = False
    """The connection is closed before the end of it."""

    @property
    def unfinished(self) -> bool:
        """Whether the server may be waiting for more of it."""
        return self.torn or not _FRAMING.isdisjoint(self.bent)

    def set(self, name: bytes, value: bytes) -> None:
        """Instead of what the header was."""
        self.headers = [(given, old) for given, old in self.headers if given.lower() != name.lower()] + [(name, value)]

    def bytes(self) -> bytes:
        """As it stands on the wire."""
        headers = list(self.headers)
        if self.length and self.body:
            headers.append((b"Content-Length", str(len(self.body)).encode()))
        lines = [b" ".join((self.method, self.target, self.version)), *(b": ".join(header) for header in headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


Bend = Callable[[random.Random, Request], None]


class Generator:
    """Makes requests of the ordinary ones that `ordinary` makes."""

    def __init__(self, seed: int, ordinary: Callable[[random.Random], Request]) -> None:
        self._random = random.Random(seed)
        self._ordinary = ordinary

    def next(self) -> Request:
        """The next request."""
        chance = self._random
        made = self.ordinary()
        for bend in chance.choices(BENDS, k=chance.choice((1, 1, 2, 3))):
            made.bent.append(bend.__name__.strip("_"))
            bend(chance, made)
        return made

    def ordinary(self) -> Request:
        """One that clients send."""
        return self._ordinary(self._random)


def of_the_api(prefix: str, tokens: Sequence[str], headers: Mapping[str, str]) -> Callable[[random.Random], Request]:
    """Requests of the API, which is at `prefix`; `tokens` are of good accounts."""
    always = [(b"Host", b"localhost"), *((name.encode(), value.encode()) for name, value in headers.items())]
    known = operations()

    def make(chance: random.Random) -> Request:
        operation = chance.choice(known)
        path, required, content = example_call(operation)
        found = list(always)
        if chance.random() < 0.85:
            found.append((b"Authorization", b"Bearer " + chance.choice(tokens).encode()))
        if content is not None and "Content-Type" not in required:
            found.append((b"Content-Type", b"application/json"))
        if operation.idempotency_key:
            required["Idempotency-Key"] = str(chance.random())
        found += [(name.encode(), value.encode()) for name, value in required.items()]
        body = b"" if content is None else encoded(content)
        return Request(operation.method.encode(), f"{prefix}{path}".encode(), found, body)

    return make


def _mark(chance: random.Random) -> bytes:
    """The mark, with something odd in it or after it."""
    odd = chance.choice((*BYTES, *(text.encode() for text in TEXTS)))
    return chance.choice((MARK.encode() + odd, odd + MARK.encode(), MARK.encode() + odd + MARK.encode()))


def _method(chance: random.Random, request: Request) -> None:
    request.method = chance.choice(METHODS)


def _version(chance: random.Random, request: Request) -> None:
    request.version = chance.choice(VERSIONS)


def _host(chance: random.Random, request: Request) -> None:
    request.set(b"Host", chance.choice(HOSTS))


def _path(chance: random.Random, request: Request) -> None:
    start, _, rest = request.target.rpartition(b"/")
    odd = _mark(chance)
    written = b"".join(b"%%%02X" % byte for byte in odd) if chance.random() < 0.6 else odd.replace(b" ", b"")
    request.target = chance.choice(
        (
            start + b"/" + written,
            start + b"/" + rest + written,
            start + b"//" + rest,
            start + b"/../" + rest,
            request.target + b"/" * 3_000,
            b"http://a:99999999" + request.target,
            b"*",
            request.target + b"#" + written,
            start.replace(b"/", b"%2f") + b"/" + rest,
            b"/" + b"a/" * 2_000,
            start + b"/" + b"%41" * 2_000,
        )
    )


def _query(chance: random.Random, request: Request) -> None:
    name = chance.choice((b"limit", b"cursor", b"q", b"category", b"subscription-key", b"code", MARK.encode()))
    value = chance.choice(
        (_mark(chance).hex().encode(), b"%" + MARK.encode(), MARK.encode() * 700, b"%ff%fe", b"%00", b"-1", b"\xff")
    )
    request.target += chance.choice((b"?", b"?&&=&", b"??")) + b"&".join(
        [name + b"=" + value] * chance.choice((1, 2, 300))
    )


def _header(chance: random.Random, request: Request) -> None:
    value = chance.choice(
        (_mark(chance).replace(b"\n", b""), chance.choice(NUMBERS).encode(), b"", b'"' + MARK.encode())
    )
    request.set(chance.choice(LATE), value)


def _header_name(chance: random.Random, request: Request) -> None:
    name = chance.choice(
        (b"", b"X A", b"X\x00A", b"\xff", b"x" * 9_000, b":x", b"__proto__", b" Content-Length", b"Content-Length ")
    )
    request.headers.insert(chance.randrange(len(request.headers) + 1), (name, MARK.encode()))


def _many_headers(chance: random.Random, request: Request) -> None:
    request.headers += [(b"X-%d" % number, MARK.encode()) for number in range(chance.choice((90, 130, 2_000)))]


def _token(chance: random.Random, request: Request) -> None:
    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=")

    header: Any = chance.choice(
        (
            {"alg": "none"},
            {"alg": "\ud800"},
            {"alg": 5},
            {"alg": "RS256", "kid": [MARK]},
            {"alg": "RS256", "kid": MARK},
            [],
            5,
            None,
            b"[" * 5_000,
            b"\xff\xfe",
            {"alg": "HS256"},
            {"alg": "RS256", "jku": "http://localhost:1"},
            {"alg": "RS256", "crit": ["x"]},
        )
    )
    claims: Any = chance.choice(
        ({"exp": "x"}, {"exp": 1e300, "iss": MARK}, [], b"[" * 5_000, b"", {"aud": {"a": 1}}, {"scp": 5})
    )
    forged = b".".join((part(header), part(claims), part(chance.randbytes(16))))
    value = chance.choice(
        (forged, forged, forged, MARK.encode(), b"\xff\xfe", b"a.b.c", b"." * 3_000, forged + b"." + forged)
    )
    scheme = chance.choice((b"Bearer ", b"Bearer ", b"bearer\t", b"Basic ", b"", b"Bearer" + b" " * 300))
    request.set(chance.choice((b"Authorization", b"Authorization", b"X-Gateway-Authorization")), scheme + value)


def _signature(chance: random.Random, request: Request) -> None:
    request.method, start = b"POST", request.target.split(b"/v1/")[0]
    request.target = start + b"/v1/payments/webhooks/stripe"
    request.body = request.body or chance.choice((b"{}", b"null", b"[" * 9_000, b'{"type": "' + MARK.encode() + b'"}'))
    values = (
        b"t=9999999999,v1=\xc3\xa9",
        b"t=,v1=",
        b"t=" + b"9" * 5_000 + b",v1=0",
        b"v1=" * 900,
        b"t=1,t=2,v1=0",
        b"",
        b"t=\xb2,v1=\xb2",
        b"=,=",
        MARK.encode(),
        b"t=-1,v1=" + b"0" * 64,
        b"t=1e9,v1=" + b"f" * 64,
    )
    request.set(b"Stripe-Signature", chance.choice(values))


def _json_value(chance: random.Random, request: Request) -> None:
    """Something else in place of one value of the body."""
    document = json.loads(request.body) if request.body[:1] == b"{" and _is_json(request.body) else {}
    inner = document
    while inner and (below := [value for value in inner.values() if isinstance(value, dict)]) and chance.random() < 0.5:
        inner = chance.choice(below)
    place = "\x01\x02place\x03"
    inner[chance.choice([*inner, MARK])] = place
    odd = chance.choice(
        (
            *NUMBERS,
            '"\\ud800"',
            '"\\u0000"',
            json.dumps(MARK * 50),
            json.dumps(MARK + "\n"),
            f'["{MARK}"]',
            f'{{"{MARK}": 1}}',
            "null",
            json.dumps("é" + MARK),
            '"' + "\x01" + MARK + '"',
            "[" * 70 + "]" * 70,
            '{"a":' * 70 + "1" + "}" * 70,
            '"4242424242424242"',
        )
    )
    request.body = json.dumps(document).replace(json.dumps(place), odd).encode()
    request.set(b"Content-Type", b"application/json")


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _deep(chance: random.Random, request: Request) -> None:
    depth, opening = chance.choice((65, 129, 300, 5_000, 50_000)), chance.choice((b"[", b'{"a":', b'{"items":['))
    request.body = opening * depth + (b"]" if opening == b"[" else b"}") * chance.choice((0, depth))
    request.set(b"Content-Type", b"application/json")


def _bytes(chance: random.Random, request: Request) -> None:
    """Some bytes of the body are others, or gone."""
    body = bytearray(request.body or b'{"a": 1}')
    for _ in range(chance.choice((1, 3, 20))):
        place = chance.randrange(len(body) + 1)
        body[place : place + chance.choice((0, 1, 5))] = chance.choice(BYTES)
    request.body = bytes(body)


def _large(chance: random.Random, request: Request) -> None:
    size = chance.choice((100_000, 102_400, 102_401, 300_000, 1_100_000))
    request.body = b'{"name": "' + MARK.encode() + b"x" * size + b'"}'


def _encoding(chance: random.Random, request: Request) -> None:
    body = request.body or b"{}"
    request.body = chance.choice(
        (
            body,
            gzip.compress(body),
            zlib.compress(body),
            gzip.compress(body)[:-5],
            gzip.compress(b"[" * 2_000_000),
            gzip.compress(gzip.compress(body)),
            b"\x1f\x8b",
            b"",
        )
    )
    request.set(b"Content-Encoding", chance.choice(ENCODINGS))


def _type(chance: random.Random, request: Request) -> None:
    request.set(b"Content-Type", chance.choice(TYPES))


def _length(chance: random.Random, request: Request) -> None:
    request.length = False
    request.headers += [(b"Content-Length", value) for value in chance.sample(LENGTHS, k=chance.choice((1, 2)))]


def _chunks(chance: random.Random, request: Request) -> None:
    body = request.body or b"{}"
    good = b"%x\r\n%b\r\n" % (len(body), body)
    request.length = False
    request.body = chance.choice(
        (
            good + b"0\r\n\r\n",
            good + b"0;" + MARK.encode() + b"\r\n\r\n",
            b"zz\r\n" + body,
            b"-1\r\n" + body,
            b"f" * 40 + b"\r\n" + body,
            b"".join(b"1\r\n%c\r\n" % byte for byte in body[:300]) + b"0\r\n\r\n",
            good + b"0\r\nX-Trailer: " + MARK.encode() + b"\r\n\r\n",
        )
    )
    request.set(
        b"Transfer-Encoding",
        chance.choice((b"chunked", b"chunked", b"Chunked", b"chunked, chunked", b"gzip, chunked", b"xchunked")),
    )


def _torn(chance: random.Random, request: Request) -> None:
    request.torn = True
    request.body = request.body or b'{"name": "' + MARK.encode() + b"x" * chance.choice((10, 200_000)) + b'"}'


BENDS: tuple[Bend, ...] = (
    _method,
    _version,
    _host,
    _path,
    _path,
    _query,
    _query,
    _header,
    _header,
    _header,
    _header_name,
    _many_headers,
    _token,
    _token,
    _signature,
    _signature,
    _json_value,
    _json_value,
    _json_value,
    _deep,
    _bytes,
    _large,
    _encoding,
    _type,
    _length,
    _chunks,
    _torn,
)
