"""What a request asks for, read as Kestrel and ASP.NET Core read it: the decoded path, the query, the address.

A path is decoded once, as UTF-8: what is no UTF-8, and `%2F`, stays as it was sent. Dot segments are taken out after
that, so that `%2e%2e` is one as well. Names in a query are the same in any letter case; empty values are left out by
the Functions host before a function sees them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

_ENCODED = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_DOTS = re.compile(r"/\.\.?(?:/|$)")
_KEPT_IN_PATHS = "!$&'()*+,;=:@/-._~"
_PLAIN = re.compile(r"[A-Za-z0-9/._~-]*")
_TRIPLET = re.compile(r"(%[0-9A-Fa-f]{2})")


class BadTarget(ValueError):
    """A request target that the server refuses."""


@dataclass(frozen=True)
class Target:
    """`path` is decoded; `query` has the question mark in front, or is empty."""

    path: str
    query: str

    @property
    def address(self) -> str:
        """Path and query as a function is told them: what may not stand in a path is encoded."""
        return (self.path if _PLAIN.fullmatch(self.path) else _escaped(self.path)) + self.query


def read(raw: str, host: str) -> Target:
    """The target of a request line. Raises BadTarget, also for an absolute one of another authority than `host`."""
    if not raw.isascii() or "#" in raw:
        raise BadTarget(raw)
    path, mark, query = raw.partition("?")
    if not path.startswith("/"):
        path = _path_of_absolute(path, host)
    if "%" in path:
        path = _decoded_path(path)
    if "/." in path:
        path = _without_dots(path)
    return Target(path, mark + query)


def values(query: str) -> dict[str, list[str]]:
    """The query's values by name, each name in the letters that came first."""
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for part in query.removeprefix("?").split("&"):
        if part:
            name, _, value = part.partition("=")
            name = unescaped(name)
            found.setdefault(names.setdefault(name.lower(), name), []).append(unescaped(value))
    return found


def first(query: str, name: str) -> str | None:
    """The first value of a name in any letter case."""
    if "%" not in query and name not in query.lower():
        return None
    return next((given[0] for key, given in values(query).items() if key.lower() == name), None)


def joined(given: list[str]) -> str:
    """Several values as the host tells them: those that are not empty, with commas."""
    return given[0] if len(given) == 1 else ",".join(value for value in given if value)


def unescaped(text: str) -> str:
    """A part of a query: plus signs are blanks, what is no UTF-8 stays as it was sent."""
    text = text.replace("+", " ")
    return text if "%" not in text else _ENCODED.sub(lambda run: _utf8(run[0], keep=b""), text.encode()).decode()


def _decoded_path(path: str) -> str:
    if "%00" in path:
        raise BadTarget(path)
    return _ENCODED.sub(lambda run: _utf8(run[0], keep=b"/"), path.encode()).decode()


def _utf8(run: bytes, keep: bytes) -> bytes:
    """A run of percent-encoded bytes, decoded where they are UTF-8 and none of `keep`."""
    decoded, place = bytes.fromhex(run.replace(b"%", b"").decode()), 0
    parts: list[bytes] = []
    while place < len(decoded):
        length = _length(decoded, place)
        sent = run[3 * place : 3 * (place + max(length, 1))]
        character = decoded[place : place + length]
        parts.append(character if length and character not in keep else sent)
        place += max(length, 1)
    return b"".join(parts)


def _length(data: bytes, place: int) -> int:
    """How many bytes the UTF-8 character at `place` has; 0 where there is none."""
    for length in range(1, 5):
        try:
            data[place : place + length].decode()
        except UnicodeDecodeError:
            continue
        return length if place + length <= len(data) else 0
    return 0


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4, for a path that begins with a slash."""
    if _DOTS.search(path) is None:
        return path
    kept: list[str] = []
    segments = path[1:].split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _path_of_absolute(path: str, host: str) -> str:
    scheme = _SCHEME.match(path)
    authority, slash, rest = path[scheme.end() :].partition("/") if scheme else ("", "", "")
    if not authority or authority.lower() != host.lower():
        raise BadTarget(path)
    return slash + rest or "/"


def _escaped(path: str) -> str:
    if "%" not in path:
        return quote(path, safe=_KEPT_IN_PATHS)
    return "".join(
        part if place % 2 else quote(part, safe=_KEPT_IN_PATHS) for place, part in enumerate(_TRIPLET.split(path))
    )
