"""Which ids a condition can be true for at all: what an index on `id` would spare a query to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lark import Token, Tree

from localazure.cosmos.sql.expressions import unquote
from localazure.cosmos.sql.query import Query


def candidate_ids(query: Query, parameters: Mapping[str, Any]) -> set[str] | None:
    """The ids that the query's WHERE leaves possible, or `None` for any."""
    where = query.tree.children[4]
    if not isinstance(where, Tree) or not query.root:
        return None
    condition = where.children[0]
    assert isinstance(condition, Tree), "the grammar has a tree here"
    return _ids(condition, query.root, parameters)


def _ids(tree: Tree[Token], root: str, parameters: Mapping[str, Any]) -> set[str] | None:
    if tree.data == "or_":
        return _union(tree, root, parameters)
    children = [child for child in tree.children if isinstance(child, Tree)]
    if tree.data == "and_":
        left, right = (_ids(child, root, parameters) for child in children)
        return right if left is None else left if right is None else left & right
    if tree.data == "compare" and str(tree.children[1]) == "=":
        for one, other in (children, reversed(children)):
            if _is_id(one, root):
                return _values([other], parameters)
    if tree.data == "in_" and _is_id(children[0], root) and not _is_negated(tree):
        return _values(children[1:], parameters)
    return None


def _union(tree: Tree[Token], root: str, parameters: Mapping[str, Any]) -> set[str] | None:
    found: set[str] = set()
    current: Tree[Token] = tree
    while True:
        operands = (
            [child for child in current.children if isinstance(child, Tree)] if current.data == "or_" else [current]
        )
        ids = _ids(operands[-1], root, parameters)
        if ids is None:
            return None
        found |= ids
        if len(operands) == 1:
            return found
        current = operands[0]


def _is_id(tree: Tree[Token], root: str) -> bool:
    if tree.data == "member":
        name = str(tree.children[1])
    elif tree.data == "index" and isinstance(tree.children[1], Tree) and tree.children[1].data == "string":
        name = unquote(str(tree.children[1].children[0]))
    else:
        return False
    of = tree.children[0]
    return name == "id" and isinstance(of, Tree) and of.data == "name" and str(of.children[0]) == root


def _is_negated(tree: Tree[Token]) -> bool:
    return any(isinstance(child, Token) and child.type == "NOT" for child in tree.children)


def _values(trees: list[Tree[Token]], parameters: Mapping[str, Any]) -> set[str] | None:
    found: set[str] = set()
    for tree in trees:
        if tree.data == "string":
            found.add(unquote(str(tree.children[0])))
        elif tree.data == "parameter" and isinstance(parameters.get(str(tree.children[0])), str):
            found.add(parameters[str(tree.children[0])])
        else:
            return None
    return found
