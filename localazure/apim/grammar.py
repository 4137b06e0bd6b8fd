"""How Azure wants a policy written: which attributes, which children, in which order. Checked when a file is read.

Source: the schemas that Microsoft's policy editor checks a document with, told here in a notation of our own. One line
is one element: its name (or, where it stands only below another, its path), its attributes, and its children.

    name        an attribute that may be there        name!       one that must
    name=int    a literal of that kind                name=int@   the same, or a policy expression
    =a|b        one of these words
    > a b?      children in this order                & a b?      each at most once, in any order
    | a b       any of these, as often as wanted      ...         policies
    text        text is allowed
    a? a* a+    at most once, any number, at least once

`id` may stand on every policy. What the schemas allow and this gateway does not do, the policies themselves refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError

KINDS = {"int": r"\s*[-+]?\d+\s*", "number": r"\s*[-+]?\d*\.?\d+\s*", "bool": r"\s*(?i:true|false)\s*"}


@dataclass(frozen=True)
class Attribute:
    name: str
    required: bool
    pattern: str
    kind: str
    expression: bool

    def check(self, value: str, element: Element) -> None:
        """Raises ArtifactError for a value of another kind."""
        if not self.pattern or re.fullmatch(self.pattern, value):
            return
        if value.lstrip().startswith(("@(", "@{")):
            if self.expression:
                return
            raise ArtifactError(f"policy expressions are not allowed in {self.name!r}", element.place)
        wanted = {"int": "a whole number", "number": "a number", "bool": "true or false"}.get(self.kind, self.kind)
        raise ArtifactError(f"{self.name!r} must be {wanted}, not {value!r}", element.place)


@dataclass(frozen=True)
class Child:
    name: str
    least: int
    most: int | None


@dataclass(frozen=True)
class Rule:
    """`order` is `>`, `&`, `|`, `...` for policies, or empty for an element without children."""

    attributes: dict[str, Attribute]
    order: str
    children: tuple[Child, ...]
    text: bool


_LEAF = Rule({}, ">", (), True)
"""An element that stands in no rule of its own: a text such as `<audience>`."""


def check(element: Element, path: str = "") -> None:
    """Refuse an element that Azure would not save. Policies inside are not looked at: they are checked on their own."""
    path = path or element.name
    rule = rules().get(path) or rules().get(element.name)
    if rule is None:
        if "/" in path:
            _attributes(element, _LEAF)
            _children(element, _LEAF)
        return
    _attributes(element, rule)
    if rule.order == "...":
        return
    if element.text and not rule.text:
        raise ArtifactError(f"text is not expected here: {element.text[:40]!r}", element.place)
    _children(element, rule)
    for child in element.children:
        check(child, f"{path}/{child.name}")


def _attributes(element: Element, rule: Rule) -> None:
    for name, value in element.attributes.items():
        known = rule.attributes.get(name)
        if known is not None:
            known.check(value, element)
        elif name != "id":
            has = ", ".join(rule.attributes) or "none"
            raise ArtifactError(f"the attribute {name!r} is not supported; <{element.name}> has {has}", element.place)
    for name, attribute in rule.attributes.items():
        if attribute.required and name not in element.attributes:
            raise ArtifactError(f"the attribute {name!r} is required", element.place)


def _children(element: Element, rule: Rule) -> None:
    names = [child.name for child in rule.children]
    counts = dict.fromkeys(names, 0)
    reached = 0
    for child in element.children:
        if child.name not in counts:
            raise ArtifactError(
                f"<{child.name}> is not supported here; <{element.name}> has {', '.join(names) or 'no elements'}",
                child.place,
            )
        counts[child.name] += 1
        position = names.index(child.name)
        if rule.order == ">" and position < reached:
            order = ", ".join(names)
            raise ArtifactError(
                f"<{child.name}> comes before <{names[reached]}>: the order in <{element.name}> is {order}",
                child.place,
            )
        reached = max(reached, position)
        most = rule.children[position].most
        if most is not None and counts[child.name] > most:
            raise ArtifactError(f"<{child.name}> may stand here only once", child.place)
    for known in rule.children:
        if counts[known.name] < known.least:
            raise ArtifactError(f"the element <{known.name}> is required", element.place)


@cache
def rules() -> dict[str, Rule]:
    """Every rule by the element's name or path."""
    from localazure.apim.grammar_table import TABLE

    return dict(_rule(line) for line in _lines(TABLE))


def _lines(table: str) -> Iterator[str]:
    """One line for each rule; what is indented belongs to the line before."""
    yield from (" ".join(line.split()) for line in re.sub(r"\n\s+", " ", table.strip()).splitlines() if line)


def _rule(line: str) -> tuple[str, Rule]:
    path, *words = line.split(" ")
    order, attributes, children, text = "", {}, list[Child](), False
    for word in words:
        if word in {">", "&", "|", "..."}:
            order = word
        elif word == "text":
            text = True
        elif order:
            children.append(_child(word, repeated=order == "|"))
        else:
            attribute = _attribute(word)
            attributes[attribute.name] = attribute
    return path, Rule(attributes, order, tuple(children), text)


def _child(word: str, repeated: bool) -> Child:
    name = word.rstrip("?*+")
    least = 0 if repeated or word.endswith(("?", "*")) else 1
    return Child(name, least, None if repeated or word.endswith(("*", "+")) else 1)


def _attribute(word: str) -> Attribute:
    name, _, kind = word.partition("=")
    expression, kind = kind.endswith("@"), kind.rstrip("@")
    required, name = name.endswith("!"), name.rstrip("!")
    pattern = KINDS.get(kind) or rf"\s*(?:{'|'.join(map(re.escape, kind.split('|')))})\s*" if kind else ""
    return Attribute(name, required, pattern, kind.replace("|", ", "), expression)
