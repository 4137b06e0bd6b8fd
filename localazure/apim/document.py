"""Policy documents as trees that know their lines. DTDs and entities are refused: nothing here is ever expanded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from localazure.apim.errors import ArtifactError, Place, Unsupported
from localazure.apim.raw import RawError, escaped


@dataclass
class Element:
    """One XML element. `path` is made of the names from the root, `text` is its own text, without its children's."""

    name: str
    attributes: Mapping[str, str]
    place: Place
    children: list[Element] = field(default_factory=list)
    text: str = ""
    text_line: int = 0
    markup: str = ""
    """What stands inside a set-body that holds elements, as it is to be sent."""

    def child(self, name: str) -> Element | None:
        """The only child of that name. Raises ArtifactError for two."""
        found = [child for child in self.children if child.name == name]
        if len(found) > 1:
            raise ArtifactError(f"<{name}> may stand here only once", found[1].place)
        return found[0] if found else None

    def walk(self) -> Iterator[Element]:
        """This element and everything below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def allow(self, attributes: str = "", children: str = "", text: bool = False) -> None:
        """Refuse whatever is not named here. `attributes` and `children` are names separated by spaces; `!` after a
        name says that it is required. The optional `id`, which every policy may have, is always allowed."""
        names = {name.rstrip("!") for name in attributes.split()} | {"id"}
        for name in self.attributes:
            if name not in names:
                raise Unsupported(f"the attribute {name!r} is not supported; supported: {sorted(names)}", self.place)
        for name in attributes.split():
            if name.endswith("!") and name[:-1] not in self.attributes:
                raise ArtifactError(f"the attribute {name[:-1]!r} is required", self.place)
        kinds = {name.rstrip("!") for name in children.split()}
        for child in self.children:
            if child.name not in kinds:
                known = ", ".join(sorted(kinds)) or "none"
                raise Unsupported(f"<{child.name}> is not supported here; supported: {known}", child.place)
        for name in children.split():
            if name.endswith("!") and not any(child.name == name[:-1] for child in self.children):
                raise ArtifactError(f"the element <{name[:-1]}> is required", self.place)
        if self.text and not text:
            raise ArtifactError(f"text is not expected here: {self.text[:40]!r}", self.place)


def read(file: Path, values: Mapping[str, str]) -> Element:
    """Parse a file, named values (`{{name}}`) replaced by `values`. Raises ArtifactError."""
    return parse(file.read_bytes(), file, values)


def parse(content: bytes, file: Path, values: Mapping[str, str]) -> Element:
    """Parse a document that stands in `file`, as XML or in Azure's raw form. Raises ArtifactError."""
    wrong: RawError | None = None
    try:
        text = escaped(content.decode("utf-8-sig")).encode()
    except UnicodeDecodeError:
        text = content
    except RawError as exc:
        text, wrong = content, exc
    try:
        return _parsed(text, file, values)
    except expat.ExpatError as exc:
        if wrong is not None:
            raise ArtifactError(str(wrong), Place(file, wrong.line, "")) from None
        raise ArtifactError(f"not well-formed XML: {exc}", Place(file, exc.lineno, "")) from None


def _parsed(content: bytes, file: Path, values: Mapping[str, str]) -> Element:
    builder = _Builder(file, values)
    builder.parser.Parse(content, True)
    assert builder.root is not None
    return builder.root


_NAMED = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}", re.ASCII)
"""A named value. Source: "Named values", what a name may consist of; other text in double braces is left alone."""
DEEPEST_VALUE = 10
"""Named values within named values."""


class _Builder:
    def __init__(self, file: Path, values: Mapping[str, str]) -> None:
        self.root: Element | None = None
        self._body: Element | None = None
        """The set-body that is open: what stands inside is kept as markup, too."""
        self._markup: list[str] = []
        self._file, self._values, self._open = file, values, list[Element]()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        path = "/".join([*(element.name for element in self._open), name])
        place = Place(self._file, self.parser.CurrentLineNumber, path)
        values = {key: self._replaced(value, place) for key, value in attributes.items()}
        element = Element(name, values, place)
        if self._body is not None:
            self._markup.append(f"<{name}{''.join(f' {key}={quoteattr(value)}' for key, value in values.items())}>")
        elif name == "set-body":
            self._body = element
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        element.text = self._replaced(element.text.strip(), element.place)
        if element is self._body:
            if element.children:
                element.markup = self._replaced("".join(self._markup).strip(), element.place)
            self._markup.clear()
            self._body = None
        elif self._body is not None:
            self._markup.append(f"</{name}>")

    def _text(self, data: str) -> None:
        element = self._open[-1]
        if not element.text.strip() and data.strip():
            ahead = len(data) - len(data.lstrip())
            element.text_line = self.parser.CurrentLineNumber + data[:ahead].count("\n")
        element.text += data
        if self._body is not None:
            self._markup.append(escape(data))

    def _refuse(self, *_: Any) -> None:
        raise ArtifactError(
            "document type declarations are refused", Place(self._file, self.parser.CurrentLineNumber, "")
        )

    def _replaced(self, text: str, place: Place) -> str:
        """The text with named values put in. In a Liquid template, double braces may be Liquid's own."""
        liquid = self._body is not None and self._body.attributes.get("template") == "liquid"

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in self._values:
                return self._values[name]
            if liquid:
                return match[0]
            known = ", ".join(sorted(self._values))
            raise ArtifactError(f"there is no named value {name!r}; there are {known}", place)

        for _ in range(DEEPEST_VALUE):
            before, text = text, _NAMED.sub(value, text)
            if before == text:
                break
        if "}}" not in text.rpartition("{{")[2] and "{{" in text and not liquid:
            raise ArtifactError("{{ without }}", place)
        return text
