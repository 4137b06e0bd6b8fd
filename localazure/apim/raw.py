"""Azure's raw form of policies: expressions stand in the XML as they are, quotes, `&&` and `<` unescaped.

The portal saves policies so, and the format `rawxml` takes them so; "Policies - Create Or Update" of the REST API
names it. `escaped` makes XML of it, with every line where it was.
"""

from __future__ import annotations

import re

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions.lexer import closing

_SKIPPED = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|</[^<>]*>", re.DOTALL)
_TAG = re.compile(r"<[A-Za-z_:][\w:.-]*")
_ATTRIBUTE = re.compile(r"\s*[A-Za-z_:][\w:.-]*\s*=\s*([\"'])\s*")
_EXPRESSION = re.compile(r"\s*(?=@[({])")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9A-Fa-f]+);)")
_TAG_END = re.compile(r"\s*/?>")


class RawError(ValueError):
    """An expression whose end cannot be found; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def escaped(text: str) -> str:
    """The document as XML. Raises RawError. What is no expression stays as it is."""
    # An expression may be escaped in part; for finding its end, a quote is a quote however it is written.
    masked = text.replace("&quot;", '"     ').replace("&apos;", "'     ")
    parts: list[str] = []
    at = 0
    while at < len(text):
        if skipped := _SKIPPED.match(text, at):
            parts.append(skipped[0])
            at = skipped.end()
        elif _TAG.match(text, at):
            part, at = _tag(text, masked, at)
            parts.append(part)
        elif text[at] == "<":
            return "".join(parts) + text[at:]
        else:
            part, at = _content(text, masked, at)
            parts.append(part)
    return "".join(parts)


def _content(text: str, masked: str, at: int) -> tuple[str, int]:
    """Text up to the next tag; an expression at its beginning is escaped."""
    part = ""
    if found := _EXPRESSION.match(text, at):
        end = _end(text, masked, found.end())
        part, at = found[0] + _escape(text[found.end() : end]), end
    end = text.find("<", at)
    end = len(text) if end < 0 else end
    return part + text[at:end], end


def _tag(text: str, masked: str, at: int) -> tuple[str, int]:
    """A start tag with its attributes, up to its `>` or to where it is no tag any more."""
    name = _TAG.match(text, at)
    assert name is not None
    parts, at = [name[0]], name.end()
    while not (end := _TAG_END.match(text, at)):
        attribute = _ATTRIBUTE.match(text, at)
        if attribute is None:
            # No tag: the parser says what is wrong with it.
            return "".join(parts) + text[at:], len(text)
        quote, at = attribute[1], attribute.end()
        if not _EXPRESSION.match(text, at):
            stop = text.find(quote, at)
            stop = len(text) if stop < 0 else stop
            parts.append(attribute[0] + text[at : stop + 1])
            at = stop + 1
            continue
        stop = _end(text, masked, at)
        behind = text.find(quote, stop)
        if behind < 0 or text[stop:behind].strip():
            raise RawError(f"{quote} must follow the end of the expression", text.count("\n", 0, stop) + 1)
        # Lines within an attribute are kept by a reference; the line breaks themselves follow the attribute.
        lines = text.count("\n", at, stop)
        parts.append(attribute[0] + _escape(text[at:stop]).replace("\n", "&#10;") + quote + "\n" * lines)
        at = behind + 1
    return "".join(parts) + end[0], end.end()


def _end(text: str, masked: str, at: int) -> int:
    """The offset behind the expression at `at`."""
    try:
        return closing(masked, at + 1)
    except ExpressionError as exc:
        raise RawError(f"policy expression: {exc}", text.count("\n", 0, exc.offset) + 1) from exc


def _escape(expression: str) -> str:
    text = _ENTITY.sub("&amp;", expression)
    return text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&apos;")
