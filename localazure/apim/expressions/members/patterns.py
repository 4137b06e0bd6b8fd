"""Regular expressions, by a module that knows .NET's groups and keeps to a time limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import regex

from localazure.apim.expressions.failures import LimitExceeded, throw
from localazure.apim.expressions.operators import joined
from localazure.apim.expressions.table import declare, enumeration, index
from localazure.apim.expressions.types import IMPLICIT, derive

MAX_SECONDS = 0.25
"""Seconds that one match may take; every caller waits that long."""
_OPTIONS = {
    "IgnoreCase": regex.IGNORECASE,
    "Multiline": regex.MULTILINE,
    "Singleline": regex.DOTALL,
    "IgnorePatternWhitespace": regex.VERBOSE,
    "Compiled": 0,
    "CultureInvariant": 0,
    "ExplicitCapture": 0,
    "ECMAScript": regex.ASCII,
}
enumeration("RegexOptions", **{name: int(value) for name, value in _OPTIONS.items()})
declare("RegexOptions", {"static RegexOptions None": lambda: 0})
derive("RegexOptions", "int")
_REFERENCE = re.compile(r"\$(?:(\d+)|\{(\w+)\}|([$&`'+_]))")
_ITEM = r"(?:\\[dDwWsS.\-]|\[\^?[\w.\-]+\]|[\w\-:/@=,; ])(?:\{\d{1,3}\})?"
_STRAIGHT = re.compile(rf"\^(?:{_ITEM}|\(\?[=!](?:{_ITEM})+\))*\$?")
MAX_STRAIGHT = 1000
"""Characters of a pattern that is matched without looking at the clock."""
_QUOTED = re.compile(r"\(\?'(\w+)'")


@dataclass(frozen=True)
class Group:
    value: str
    at: int
    success: bool
    name: str = ""


@dataclass(frozen=True)
class Match(Group):
    found: Any = None


@lru_cache(maxsize=512)
def compiled(pattern: str, options: int = 0) -> Any:
    """Raises Thrown for a pattern that is not one."""
    try:
        return regex.compile(_QUOTED.sub(r"(?<\1>", pattern).replace(r"\z", r"\Z"), options)
    except regex.error as exc:
        throw("ArgumentException", f"parsing {pattern[:60]!r} - {exc}")
    except RecursionError:
        throw("ArgumentException", f"parsing {pattern[:60]!r} - nested too deep")


@lru_cache(maxsize=512)
def is_straight(pattern: str) -> bool:
    """Whether a pattern is tried at the beginning alone, and each of its parts once: it needs no time limit.

    Looking at the clock takes longer than such a match.
    """
    return len(pattern) <= MAX_STRAIGHT and _STRAIGHT.fullmatch(pattern) is not None


def _timed(run: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return run(*arguments, timeout=MAX_SECONDS)
    except TimeoutError:
        raise LimitExceeded(f"a regular expression took more than {MAX_SECONDS} seconds") from None


def _argument(value: str | None) -> str:
    if value is None:
        throw("ArgumentNullException", "Value cannot be null.")
    return value


def _search(pattern: Any, value: str | None, at: int = 0) -> Any:
    if is_straight(pattern.pattern) and not pattern.flags & regex.MULTILINE:
        return pattern.search(_argument(value), at)
    return _timed(pattern.search, _argument(value), at)


def _match(pattern: Any, value: str | None, at: int = 0) -> Match:
    return _as_match(_search(pattern, value, at))


def _as_match(found: Any) -> Match:
    return Match("", 0, False, "0") if found is None else Match(found[0], found.start(), True, "0", found)


def _matches(pattern: Any, value: str | None) -> list[Match]:
    text = _argument(value)
    found: list[Match] = []
    try:
        found.extend(_as_match(item) for item in pattern.finditer(text, timeout=MAX_SECONDS))
    except TimeoutError:
        raise LimitExceeded(f"a regular expression took more than {MAX_SECONDS} seconds") from None
    return found


def _expanded(template: str) -> Callable[[Any], str]:
    """What a replacement stands for: `$1`, `${name}`, `$&`, `$$` and the others."""

    def piece(found: Any, reference: re.Match[str]) -> str:
        whole = reference[0]
        number, name, sign = reference.groups()
        if sign:
            before, behind = found.string[: found.start()], found.string[found.end() :]
            last = (found.re.groups and found[found.re.groups]) or ""
            return str({"$": "$", "&": found[0], "`": before, "'": behind, "+": last, "_": found.string}[sign])
        key: Any = int(number) if number else int(name) if name.isdecimal() else name
        if isinstance(key, int):
            return found[key] or "" if key <= found.re.groups else whole
        return found[key] or "" if key in found.re.groupindex else whole

    return lambda found: _REFERENCE.sub(lambda reference: piece(found, reference), template)


def _replace(pattern: Any, value: str | None, by: Any, count: int = 0) -> str:
    expand = _expanded(by) if isinstance(by, str) else lambda found: by(_as_match(found)) or ""
    return joined(_timed(pattern.sub, expand, _argument(value), max(count, 0)))


def _split(pattern: Any, value: str | None) -> list[str]:
    return [item or "" for item in _timed(pattern.split, _argument(value))]


def _group(held: Match, key: Any) -> Group:
    found = held.found
    missing = Group("", 0, False, str(key))
    if found is None or (isinstance(key, int) and not 0 <= key <= found.re.groups):
        return missing
    if isinstance(key, str) and key.isdecimal():
        return _group(held, int(key))
    if isinstance(key, str) and key not in found.re.groupindex:
        return missing
    return missing if found[key] is None else Group(found[key], found.start(key), True, str(key))


def _groups(held: Match) -> list[Group]:
    return [_group(held, number) for number in range(held.found.re.groups + 1)] if held.found else [held]


derive("GroupCollection", "IEnumerable<Group>", by=_groups)
derive("MatchCollection", "IReadOnlyList<Match>")
derive("CaptureCollection", "IReadOnlyList<Capture>")
derive("Match", "Group")
derive("Group", "Capture")
declare(
    "Capture",
    {
        "string Value": lambda held: held.value,
        "int Index": lambda held: held.at,
        "int Length": lambda held: len(held.value),
        "string ToString()": lambda held: held.value,
    },
)
declare("Group", {"bool Success": lambda held: held.success, "string Name": lambda held: held.name})
declare("Group", {"CaptureCollection Captures": lambda held: [held] if held.success else []})
declare(
    "Match",
    {
        "GroupCollection Groups": lambda held: held,
        "string Result(string)": lambda held, template: _expanded(template)(held.found) if held.found else "",
        "Match NextMatch()": lambda held: _match(
            held.found.re, held.found.string, max(held.found.end(), held.found.start() + 1)
        ),
        "static Match Empty": lambda: Match("", 0, False, "0"),
    },
)
for _key in ("int", "string"):
    index("GroupCollection", _key, "Group", _group)
declare("GroupCollection", {"int Count": lambda held: len(_groups(held))})


def _static(run: Callable[..., Any]) -> Callable[..., Any]:
    """The static form of a method: the text, the pattern, what the method takes, options and a time limit."""

    def call(value: str | None, pattern: str | None, *more: Any) -> Any:
        options = next((item for item in more if isinstance(item, int)), 0)
        taken = [item for item in more if isinstance(item, str) or callable(item)]
        return run(compiled(_argument(pattern), options), value, *taken)

    return call


def _is_match(pattern: Any, value: str | None) -> bool:
    return _search(pattern, value) is not None


for _more in ("", ", RegexOptions", ", RegexOptions, TimeSpan"):
    declare(
        "Regex",
        {
            f"static Regex new(string{_more})": lambda pattern, options=0, _=None: compiled(pattern, options),
            f"static bool IsMatch(string, string{_more})": _static(_is_match),
            f"static Match Match(string, string{_more})": _static(_match),
            f"static MatchCollection Matches(string, string{_more})": _static(_matches),
            f"static string[] Split(string, string{_more})": _static(_split),
            f"static string Replace(string, string, string{_more})": _static(_replace),
            f"static string Replace(string, string, MatchEvaluator{_more})": _static(_replace),
        },
    )
declare(
    "Regex",
    {
        "static string Escape(string)": lambda value: re.sub(r"([\\*+?|{\[()^$.# \t\n])", r"\\\1", value),
        "static string Unescape(string)": lambda value: re.sub(r"\\(.)", r"\1", value),
        "bool IsMatch(string)": _is_match,
        "Match Match(string)": _match,
        "Match Match(string, int)": _match,
        "MatchCollection Matches(string)": _matches,
        "string[] Split(string)": _split,
        "string Replace(string, string)": _replace,
        "string Replace(string, MatchEvaluator)": _replace,
        "string Replace(string, string, int)": _replace,
    },
)
IMPLICIT["RegexOptions", "int"] = int
