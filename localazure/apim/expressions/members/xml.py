"""LINQ to XML: elements, attributes, names. DTDs are refused: nothing is ever expanded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from localazure.apim.expressions.casting import CLASSES, EXPLICIT, from_json
from localazure.apim.expressions.failures import throw
from localazure.apim.expressions.jtoken import JValue
from localazure.apim.expressions.table import SETTERS, declare
from localazure.apim.expressions.types import IMPLICIT, NUMBERS, derive, upcast
from localazure.apim.expressions.values import text

DEEPEST = 200
"""Levels of elements that are read."""


class XElement:
    """An element: its name as `{namespace}local`, attributes, and contents (elements and texts). A document is an
    element without a name."""

    def __init__(self, name: str, content: Iterable[Any] = ()) -> None:
        self.name = name
        self.attributes: dict[str, str] = {}
        self.content: list[XElement | str] = []
        self.parent: XElement | None = None
        for item in content:
            self.add(item)

    def add(self, item: Any) -> None:
        if item is None:
            return
        if isinstance(item, list | tuple) and not isinstance(item, XAttribute):
            for inner in item:
                self.add(inner)
        elif isinstance(item, XAttribute):
            self.attributes[item.name] = item.value
        elif isinstance(item, XElement):
            held = item if item.parent is None else item.copy()
            held.parent = self
            self.content.append(held)
        else:
            self.content.append(text(item))

    def copy(self) -> XElement:
        made = XElement(self.name, [item.copy() if isinstance(item, XElement) else item for item in self.content])
        made.attributes = dict(self.attributes)
        return made

    @property
    def elements(self) -> list[XElement]:
        return [item for item in self.content if isinstance(item, XElement)]

    @property
    def value(self) -> str:
        return "".join(item if isinstance(item, str) else item.value for item in self.content)

    def descendants(self) -> Iterator[XElement]:
        for item in self.elements:
            yield item
            yield from item.descendants()

    def __str__(self) -> str:
        return written(self)


class XDocument(XElement):
    """The document: an element without a name around the root."""


class XAttribute:
    def __init__(self, name: str, value: Any, owner: XElement | None = None) -> None:
        self.name, self.value, self.owner = name, text(value), owner


def read(source: str, type_: str) -> Any:
    """Raises Thrown for what is not XML, has a DTD, or is nested too deep."""
    document = XDocument("")
    here: list[XElement] = [document]
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(here) > DEEPEST:
            throw("XmlException", "the document is nested too deep")
        element = XElement(_name(name))
        element.attributes = {_name(key): value for key, value in attributes.items()}
        here[-1].add(element)
        here.append(element)

    def refuse(*_: Any) -> None:
        throw("XmlException", "For security reasons DTD is prohibited in this XML document.")

    def add_text(data: str) -> None:
        if len(here) > 1:
            here[-1].content.append(data)

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: here.pop()
    parser.CharacterDataHandler = add_text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(source.encode(), True)
    except expat.ExpatError as exc:
        throw("XmlException", f"the text is not valid XML: {exc}")
    for element in document.descendants():
        _without_indentation(element)
    if type_ == "XDocument":
        return document
    root = document.elements[0]
    root.parent = None
    return root


def _without_indentation(element: XElement) -> None:
    """White space between elements is not kept. Source: LoadOptions.None."""
    if element.elements:
        element.content = [item for item in element.content if isinstance(item, XElement) or item.strip()]


def _name(raw: str) -> str:
    return "{" + raw if "}" in raw else raw


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _space(name: str) -> str:
    return name[1:].partition("}")[0] if name.startswith("{") else ""


def written(element: XElement, indented: bool = True, depth: int = 0, outer: str = "") -> str:
    """The element's text; children are indented where there is no text among them."""
    if isinstance(element, XDocument):
        return "\n".join(written(item, indented) for item in element.elements)
    space = _space(element.name)
    found = "" if space == outer or "xmlns" in element.attributes else f" xmlns={quoteattr(space)}"
    prefixes: dict[str, str] = {}
    for name, value in element.attributes.items():
        if inner := _space(name):
            prefix = prefixes.setdefault(inner, f"p{depth + len(prefixes)}")
            found += f" {prefix}:{_local(name)}={quoteattr(value)}"
        else:
            found += f" {name}={quoteattr(value)}"
    found += "".join(f" xmlns:{prefix}={quoteattr(uri)}" for uri, prefix in prefixes.items())
    name = _local(element.name)
    if not element.content:
        return f"<{name}{found} />"
    plain = indented and all(isinstance(item, XElement) for item in element.content)
    before = "\n" + "  " * (depth + 1) if plain else ""
    after = "\n" + "  " * depth if plain else ""
    inner_text = "".join(
        before + (escape(item) if isinstance(item, str) else written(item, plain, depth + 1, space))
        for item in element.content
    )
    return f"<{name}{found}>{inner_text}{after}</{name}>"


def _children(held: XElement, name: str | None = None) -> list[XElement]:
    return [item for item in held.elements if name is None or item.name == name]


def _below(held: XElement, name: str | None = None) -> list[XElement]:
    return [item for item in held.descendants() if name is None or item.name == name]


def _set_value(held: XElement, value: Any) -> None:
    held.content = []
    held.add(text(value))


def _remove(held: XElement) -> None:
    if held.parent is None:
        throw("InvalidOperationException", "The parent is missing.")
    held.parent.content = [item for item in held.parent.content if item is not held]
    held.parent = None


def _replace(held: XElement, other: Any) -> None:
    outer = held.parent
    if outer is None:
        throw("InvalidOperationException", "The parent is missing.")
    place = next(number for number, item in enumerate(outer.content) if item is held)
    around = outer.content[place + 1 :]
    outer.content = outer.content[:place]
    outer.add(other)
    outer.content += around
    held.parent = None


def _attribute(held: XElement, name: str) -> XAttribute | None:
    return XAttribute(name, held.attributes[name], held) if name in held.attributes else None


def _set_attribute(held: XElement, name: str, value: Any) -> None:
    if value is None:
        held.attributes.pop(name, None)
    else:
        held.attributes[name] = text(value)


def _change(held: XAttribute, value: str) -> None:
    held.value = value
    if held.owner is not None:
        held.owner.attributes[held.name] = value


def _set_element(held: XElement, name: str, value: Any) -> None:
    found = next(iter(_children(held, name)), None)
    if value is None and found is not None:
        _remove(found)
    elif found is not None:
        _set_value(found, value)
    elif value is not None:
        held.add(XElement(name, [value]))


def _content(type_: str, held: Any) -> Any:
    return from_json(JValue(held.value), type_)


CLASSES |= {"XElement": XElement, "XDocument": XDocument, "XAttribute": XAttribute, "XContainer": XElement}
CLASSES |= {"XNode": XElement, "XObject": (XElement, XAttribute)}
derive("XNode", "XObject")
derive("XContainer", "XNode")
derive("XElement", "XContainer")
derive("XDocument", "XContainer")
derive("XAttribute", "XObject")
derive("XName")
derive("XNamespace")
IMPLICIT["string", "XName"] = lambda value: value
IMPLICIT["string", "XNamespace"] = lambda value: value
for _type in ("XElement", "XAttribute"):
    for _target in ("string", "bool", "DateTime", *NUMBERS):
        for _end in ("", "?"):
            EXPLICIT[_type, _target + _end] = partial(_content, _target)
upcast.cache_clear()
declare(
    "XName",
    {
        "string LocalName": _local,
        "XNamespace Namespace": _space,
        "string NamespaceName": _space,
        "string ToString()": str,
        "static XName Get(string)": str,
        "static XName Get(string, string)": lambda name, space: f"{{{space}}}{name}" if space else name,
    },
)
declare(
    "XNamespace",
    {
        "static XNamespace Get(string)": str,
        "static XNamespace None": lambda: "",
        "string NamespaceName": str,
        "string ToString()": str,
        "XName GetName(string)": lambda space, name: f"{{{space}}}{name}" if space else name,
    },
)
declare("XObject", {"XElement Parent": lambda held: getattr(held, "parent", None) or getattr(held, "owner", None)})
declare("XNode", {"void Remove()": _remove, "void ReplaceWith(object)": _replace, "string ToString()": written})
declare(
    "XContainer",
    {
        "IEnumerable<XElement> Elements()": _children,
        "IEnumerable<XElement> Elements(XName)": _children,
        "XElement Element(XName)": lambda held, name: next(iter(_children(held, name)), None),
        "IEnumerable<XElement> Descendants()": _below,
        "IEnumerable<XElement> Descendants(XName)": _below,
        "void Add(params object[])": lambda held, items: held.add(items),
        "IEnumerable<XElement> Nodes()": lambda held: held.elements,
        "void RemoveNodes()": lambda held: held.content.clear(),
    },
)
declare(
    "XElement",
    {
        "static XElement Parse(string)": lambda value: read(value or "", "XElement"),
        "static XElement new(XName, params object[])": XElement,
        "XName Name": lambda held: held.name,
        "string Value": lambda held: held.value,
        "XAttribute Attribute(XName)": _attribute,
        "IEnumerable<XAttribute> Attributes()": lambda held: [
            XAttribute(name, value, held) for name, value in held.attributes.items()
        ],
        "bool HasElements": lambda held: bool(held.elements),
        "bool HasAttributes": lambda held: bool(held.attributes),
        "bool IsEmpty": lambda held: not held.content,
        "void SetValue(object)": _set_value,
        "void SetAttributeValue(XName, object)": _set_attribute,
        "void SetElementValue(XName, object)": _set_element,
        "IEnumerable<XElement> DescendantsAndSelf()": lambda held: [held, *held.descendants()],
        "XNamespace GetDefaultNamespace()": lambda held: _space(held.name),
    },
)
SETTERS["XElement", "Value"] = ("string", _set_value)
SETTERS["XElement", "Name"] = ("XName", lambda held, name: setattr(held, "name", name))
declare(
    "XDocument",
    {
        "static XDocument Parse(string)": lambda value: read(value or "", "XDocument"),
        "static XDocument new(params object[])": lambda items: XDocument("", items),
        "XElement Root": lambda held: next(iter(held.elements), None),
    },
)
declare("XAttribute", {"static XAttribute new(XName, object)": XAttribute})
declare("XAttribute", {"XName Name": lambda held: held.name, "string Value": lambda held: held.value})
SETTERS["XAttribute", "Value"] = ("string", _change)
