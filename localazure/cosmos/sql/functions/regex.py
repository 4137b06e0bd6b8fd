"""Regular expressions, matched in time linear in the text: no pattern can hold up the server.

The service has PCRE. What RE2 lacks of it (lookaround, backreferences) is refused by name; an invalid pattern
anywhere gives undefined.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.functions.kinds import Function, whole
from localazure.cosmos.sql.values import UNDEFINED

MAX_PATTERN = 4096
"""Characters of a pattern: compiling one is linear too, but in memory."""
_MODIFIERS = frozenset("imsx")
_SPACE_OR_COMMENT = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\s+|#[^\n]*", re.DOTALL)


@lru_cache(maxsize=256)
def _compiled(pattern: str, modifiers: str) -> Any:
    """The compiled pattern; `None` for an invalid one. Raises QueryError for what is not supported."""
    if not _MODIFIERS.issuperset(modifiers) or len(pattern) > MAX_PATTERN:
        return None
    if "x" in modifiers:
        pattern = _SPACE_OR_COMMENT.sub(lambda match: "" if match[0][0] in " \t\r\n\f\v#" else match[0], pattern)
    flags = "".join(sorted(set(modifiers) - {"x"}))
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?{flags}){pattern}" if flags else pattern, options)
    except re2.error as exc:
        if _is_perl(pattern):
            raise QueryError(
                f"the regular expression {pattern!r} uses what the local server does not support: lookaround, "
                "backreferences and possessive or atomic groups"
            ) from exc
        return None


def _is_perl(pattern: str) -> bool:
    """Whether a backtracking engine would take the pattern."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _pattern(*given: Any) -> Any:
    """The compiled pattern of a pattern and its modifiers, or `None`."""
    return _compiled(*given) if all(isinstance(value, str) for value in given) else None


def _matches(text: Any, pattern: Any, modifiers: Any = "") -> Any:
    compiled = _pattern(pattern, modifiers)
    return UNDEFINED if compiled is None or not isinstance(text, str) else compiled.search(text) is not None


def _group(compiled: Any, number: Any) -> int | None:
    found = whole(number)
    return found if found is not None and 0 <= found <= compiled.groups else None


def _extract(text: Any, pattern: Any, modifiers: Any = "", number: Any = 0) -> Any:
    compiled = _pattern(pattern, modifiers)
    if compiled is None or not isinstance(text, str) or (group := _group(compiled, number)) is None:
        return UNDEFINED
    match = compiled.search(text)
    found = None if match is None else match.group(group)
    return UNDEFINED if found is None else found


def _extract_all(text: Any, pattern: Any, modifiers: Any = "", number: Any = 0) -> Any:
    compiled = _pattern(pattern, modifiers)
    if compiled is None or not isinstance(text, str) or (group := _group(compiled, number)) is None:
        return UNDEFINED
    return [found for match in compiled.finditer(text) if (found := match.group(group)) is not None]


def _replacing(count: int) -> Any:
    def replaced(text: Any, pattern: Any, new: Any, modifiers: Any = "") -> Any:
        compiled = _pattern(pattern, modifiers)
        if compiled is None or not isinstance(text, str) or not isinstance(new, str):
            return UNDEFINED
        return compiled.sub(lambda _: new, text, count)

    return replaced


FUNCTIONS = {
    "REGEXEXTRACT": Function(_extract, 2, 4),
    "REGEXEXTRACTALL": Function(_extract_all, 2, 4),
    "REGEXMATCH": Function(_matches, 2, 3),
    "REGEXREPLACE": Function(_replacing(1), 3, 4),
    "REGEXREPLACEALL": Function(_replacing(0), 3, 4),
}
