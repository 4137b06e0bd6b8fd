"""XML as values of JSON, for templates and for xml-to-json. Nothing is expanded: document types are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

DEEPEST = 64
"""Levels of elements: a body comes from a caller."""


@dataclass
class _Node:
    attributes: dict[str, str]
    children: list[tuple[str, Any]] = field(default_factory=list)
    text: str = ""


def tree_of(content: bytes, prefix: str = "", local: bool = True, attributes: bool = True) -> dict[str, Any]:
    """The document as nested values: elements by name, several of one name as a list, an element that holds only text
    as that text. `prefix` goes before an attribute's name; `local` drops prefixes of namespaces.

    Raises ValueError for what is not XML, is too deep, or declares a document type.
    """
    root = _Node({})
    open_ = [root]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(_: str, given: dict[str, str]) -> None:
        if len(open_) > DEEPEST:
            raise ValueError(f"the XML has more than {DEEPEST} levels")
        open_.append(_Node(given if attributes else {}))

    def end(name: str) -> None:
        node = open_.pop()
        open_[-1].children.append((_name(name, local), _value(node, prefix, local)))

    def text(data: str) -> None:
        open_[-1].text += data

    def refuse(*_: Any) -> None:
        raise ValueError("document type declarations are refused")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as exc:
        raise ValueError(f"not well-formed XML: {exc}") from exc
    return dict(root.children)


def _name(name: str, local: bool) -> str:
    return name.rpartition(":")[2] if local else name


def _value(node: _Node, prefix: str, local: bool) -> Any:
    found: dict[str, Any] = {
        prefix + _name(name, local): value
        for name, value in node.attributes.items()
        if not (local and (name == "xmlns" or name.startswith("xmlns:")))
    }
    for name, value in node.children:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    if not found:
        return node.text or None
    if node.text.strip():
        found["#text"] = node.text
    return found
