"""Which values of a property a condition can be true for at all: what an index on it would spare a query to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lark import Token, Tree

from localazure.cosmos.sql.expressions import unquote
from localazure.cosmos.sql.query import Query
from localazure.cosmos.sql.values import identity

_CONSTANTS = {"true": True, "false": False, "null": None}

Values = dict[str, Any]
"""Values by a text that is the same for equal ones."""


def candidates(query: Query, path: tuple[str, ...], parameters: Mapping[str, Any]) -> list[Any] | None:
    """The values at the path (property names) that the query's WHERE leaves possible, or `None` for any."""
    where = query.tree.children[4]
    if not isinstance(where, Tree) or not query.root:
        return None
    condition = where.children[0]
    assert isinstance(condition, Tree), "the grammar has a tree here"
    found = _Search(query.root, path, parameters).values(condition)
    return None if found is None else list(found.values())


class _Search:
    def __init__(self, root: str, path: tuple[str, ...], parameters: Mapping[str, Any]) -> None:
        self._root, self._path, self._parameters = root, path, parameters

    def values(self, tree: Tree[Token]) -> Values | None:
        if tree.data == "or_":
            return self._union(tree)
        children = [child for child in tree.children if isinstance(child, Tree)]
        if tree.data == "and_":
            left, right = (self.values(child) for child in children)
            if left is None or right is None:
                return right if left is None else left
            return {name: value for name, value in left.items() if name in right}
        if tree.data == "compare" and str(tree.children[1]) == "=":
            for one, other in (children, reversed(children)):
                if self._is_property(one):
                    return self._given([other])
        if tree.data == "in_" and self._is_property(children[0]) and not _is_negated(tree):
            return self._given(children[1:])
        return None

    def _union(self, tree: Tree[Token]) -> Values | None:
        """Of a chain of ORs, which may be long: without recursion."""
        found: Values = {}
        while True:
            operands = [child for child in tree.children if isinstance(child, Tree)] if tree.data == "or_" else [tree]
            values = self.values(operands[-1])
            if values is None:
                return None
            found |= values
            if len(operands) == 1:
                return found
            tree = operands[0]

    def _is_property(self, tree: Tree[Token]) -> bool:
        for name in reversed(self._path):
            if _name(tree) != name or not isinstance(tree.children[0], Tree):
                return False
            tree = tree.children[0]
        return tree.data == "name" and str(tree.children[0]) == self._root

    def _given(self, trees: Iterable[Tree[Token]]) -> Values | None:
        found: Values = {}
        for tree in trees:
            if tree.data == "string":
                value: Any = unquote(str(tree.children[0]))
            elif tree.data == "parameter" and str(tree.children[0]) in self._parameters:
                value = self._parameters[str(tree.children[0])]
            elif tree.data == "number":
                value = float(str(tree.children[0]))
            elif tree.data in _CONSTANTS:
                value = _CONSTANTS[tree.data]
            else:
                return None
            found[identity(value)] = value
        return found


def _name(tree: Tree[Token]) -> str | None:
    """The property that a member or index expression names."""
    if tree.data == "member":
        return str(tree.children[1])
    if tree.data == "index" and isinstance(tree.children[1], Tree) and tree.children[1].data == "string":
        return unquote(str(tree.children[1].children[0]))
    return None


def _is_negated(tree: Tree[Token]) -> bool:
    return any(isinstance(child, Token) and child.type == "NOT" for child in tree.children)
