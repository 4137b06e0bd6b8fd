"""JSON as the host and its extensions read it: with Newtonsoft.Json, which forgives much and has words of its own.

Single quotes, comments, names without quotes, commas at the end, `NaN` and `undefined` are read. Where Python's own
reader understands a text, its answer is taken.
Source: `JsonTextReader` of Newtonsoft.Json 13, for what is read and what is said.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import takewhile
from typing import Any, NoReturn

from localazure.json_text import DEEPEST, is_deeper

_BLANKS = re.compile(r"[ \t\r\n\f\v\u00a0\ufeff]+")
_NUMBER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_PLAIN = {'"': re.compile(r'[^"\\]+'), "'": re.compile(r"[^'\\]+")}
"""What of a string, by its quotes, stands for itself."""
_SEPARATOR = re.compile(r"[\s,\]}/)]|$")
_WORDS: dict[str, tuple[Any, str]] = {
    "true": (True, "Error parsing boolean value."),
    "false": (False, "Error parsing boolean value."),
    "null": (None, "Error parsing null value."),
    "undefined": (None, "Error parsing undefined value."),
    "NaN": (float("nan"), "Error parsing NaN value."),
    "Infinity": (float("inf"), "Error parsing positive infinity value."),
    "-Infinity": (float("-inf"), "Error parsing negative infinity value."),
}
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "\\": "\\", '"': '"', "'": "'", "/": "/"}
_MAX_TEXT = 262_144
"""Characters of a text that Python's reader does not understand."""
_MAX_TOKENS = 16_384
"""Values and comments in such a text: ours takes some ten microseconds for each, and everybody waits for it."""
_TOO_LONG = "The content is not JSON, and too long to be forgiven anything."
_MAX_NUMBER = 380
"""Digits of an integer that Newtonsoft.Json reads."""


class JsonReaderException(ValueError):
    """The text is not JSON; the message is Newtonsoft's.

    `within` says whether an object or array had begun, `methods` what of the reader met the fault.
    """

    def __init__(self, message: str, methods: tuple[str, ...], within: bool) -> None:
        super().__init__(message)
        self.methods = methods
        self.within = within


def read(text: str, *, whole: bool = True) -> Any:
    """The value that a text holds; what follows it is an error where the `whole` text is meant.

    Raises JsonReaderException.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if len(text) > _MAX_TEXT:
            raise JsonReaderException(_TOO_LONG, (), False) from None
    else:
        if text.count("{") + text.count("[") <= DEEPEST or not is_deeper(value, DEEPEST):
            return value
    return _Reader(text).document(whole)


def written(value: Any) -> str:
    """JSON as the Durable extension writes it: without blanks, letters beyond ASCII as they are, `NaN` as a text."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_told(value), separators=(",", ":"), ensure_ascii=False)


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _told(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_told(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


class _Reader:
    """Where the reader is, and the names and numbers that led there."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._path: list[str | int] = []
        self._depth = 0
        self._tokens = 0

    def document(self, whole: bool) -> Any:
        self._skip()
        if self._at == len(self._text):
            self._fail("Error reading JToken from JsonReader.")
        value = self._value()
        self._skip()
        if whole and self._at < len(self._text):
            self._fail(f"Additional text encountered after finished reading JSON content: {self._next}.")
        return value

    @property
    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _fail(self, message: str, *methods: str) -> NoReturn:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self._path).removeprefix(".")
        line = self._text.count("\n", 0, self._at) + 1 if self._at else 0
        position = self._at - (self._text.rfind("\n", 0, self._at) + 1)
        raise JsonReaderException(
            f"{message} Path '{path}', line {line}, position {position}.", methods, self._depth > 0
        )

    def _skip(self) -> None:
        """Pass blanks and comments."""
        while self._next:
            if (blanks := _BLANKS.match(self._text, self._at)) is not None:
                self._at = blanks.end()
            elif self._next == "/":
                self._count()
                self._comment()
            else:
                return

    def _count(self) -> None:
        self._tokens += 1
        if self._tokens > _MAX_TOKENS:
            raise JsonReaderException(_TOO_LONG, (), False)

    def _comment(self) -> None:
        kind = self._text[self._at + 1 : self._at + 2]
        if kind not in ("/", "*"):
            self._at += 1
            self._fail(f"Error parsing comment. Expected: *, got {kind}.")
        end = self._text.find("\n" if kind == "/" else "*/", self._at + 2)
        if end < 0 and kind == "*":
            self._at = len(self._text)
            self._fail("Unexpected end while parsing comment.")
        self._at = len(self._text) if end < 0 else end + (1 if kind == "/" else 2)

    def _value(self) -> Any:
        self._count()
        match self._next:
            case "{":
                return self._container(self._object)
            case "[":
                return self._container(self._array)
            case '"' | "'":
                return self._string()
        if (word := self._begun()) is not None:
            return self._word(word)
        if self._next and self._next in "-+.0123456789":
            return self._number()
        return self._fail(f"Unexpected character encountered while parsing value: {self._next}.", "ParseValue()")

    def _begun(self) -> str | None:
        """The word that stands here, or that what stands here begins like."""
        ahead = self._text[self._at : self._at + 2]
        alike = (word for word in _WORDS if word.startswith(ahead) or (ahead[:1] != "-" and word[0] == ahead[:1]))
        return next(alike, None) if ahead.strip("-+.0123456789") else None

    def _container(self, read: Callable[[], Any]) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"The reader's MaxDepth of {DEEPEST} has been exceeded.")
        self._at += 1
        value = read()
        self._depth -= 1
        return value

    def _object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while True:
            self._skip()
            if self._next == "}":
                self._at += 1
                return found
            name = self._name()
            self._path.append(name)
            self._skip()
            if self._next != ":":
                self._ends("JObject")
                self._fail(f"Invalid character after parsing property name. Expected ':' but got: {self._next}.")
            self._at += 1
            self._skip()
            self._ends("JObject")
            found[name] = self._value()
            self._skip()
            if self._next not in (",", "}"):
                self._ends("JObject")
                self._after()
            self._path.pop()
            if self._next == ",":
                self._at += 1

    def _array(self) -> list[Any]:
        found: list[Any] = []
        while True:
            self._skip()
            if self._next == "]":
                self._at += 1
                return found
            self._path.append(len(found))
            self._ends("JArray")
            found.append(self._value())
            self._skip()
            if self._next not in (",", "]"):
                self._ends("JArray")
                self._after()
            self._path.pop()
            if self._next == ",":
                self._at += 1

    def _ends(self, container: str) -> None:
        if not self._next:
            self._fail(f"Unexpected end of content while loading {container}.")

    def _after(self) -> NoReturn:
        self._fail(f"After parsing a value an unexpected character was encountered: {self._next}.")

    def _name(self) -> str:
        self._ends("JObject")
        if self._next in "\"'":
            return self._string()
        begin = self._at
        if not (self._next.isalnum() or self._next in "_$"):
            self._fail(f"Invalid property identifier character: {self._next}.")
        while self._next and (self._next.isalnum() or self._next in "_$"):
            self._at += 1
        if not self._next:
            message = "Unexpected end while parsing unquoted property name."
            self._fail(message, "ParseUnquotedProperty()", "ParseProperty()", "ParseObject()")
        if _BLANKS.fullmatch(self._next) is None and self._next != ":":
            self._fail(f"Invalid JavaScript property identifier character: {self._next}.")
        return self._text[begin : self._at]

    def _string(self) -> str:
        quote, parts = self._next, []
        plain = _PLAIN[quote]
        self._at += 1
        while self._next != quote:
            if not self._next:
                self._fail(f"Unterminated string. Expected delimiter: {quote}.")
            if self._next == "\\":
                parts.append(self._escaped())
                self._at += 1
            elif match := plain.match(self._text, self._at):
                parts.append(match[0])
                self._at = match.end()
        self._at += 1
        return "".join(parts)

    def _escaped(self) -> str:
        self._at += 1
        if self._next == "u":
            digits = self._text[self._at + 1 : self._at + 5]
            if len(digits) < 4:
                self._at = len(self._text)
                self._fail("Unexpected end while parsing Unicode escape sequence.")
            if not re.fullmatch("[0-9a-fA-F]{4}", digits):
                self._fail(f"Invalid Unicode escape sequence: \\u{digits}.")
            self._at += 4
            return chr(int(digits, 16))
        if self._next not in _ESCAPES or not self._next:
            self._fail(f"Bad JSON escape sequence: \\{self._next}.")
        return _ESCAPES[self._next]

    def _word(self, word: str) -> Any:
        value, complaint = _WORDS[word]
        here = self._text[self._at : self._at + len(word)]
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(here, word, strict=False))
        self._at += len(list(alike))
        if here != word or not _SEPARATOR.match(self._text, self._at):
            self._fail(complaint)
        return value

    def _number(self) -> Any:
        match = _NUMBER.match(self._text, self._at)
        end = match.end() if match else self._at
        if not _SEPARATOR.match(self._text, end):
            self._at = end
            self._fail(f"Unexpected character encountered while parsing number: {self._next}.")
        text = self._text[self._at : end]
        self._at = end
        if "x" in text.lower():
            return int(text, 16)
        if re.search("[.eE]", text):
            return float(text)
        if len(text) > _MAX_NUMBER:
            self._fail(f"JSON integer {text} is too large to parse.")
        return int(text)
