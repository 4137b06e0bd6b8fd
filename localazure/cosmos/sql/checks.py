"""What can be said of a query from its text alone: where aggregates may be, and what may stand beside them.

Source: "GROUP BY (NoSQL query)", remarks; the messages are those that the .NET client's tests expect of the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lark import Token, Tree

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.functions import AGGREGATES

_SUBQUERIES = frozenset({"exists", "array_query", "scalar"})


def fault(message: str, tree: Tree[Token], code: str = "") -> QueryError:
    """The error, with the place of `tree` in the text."""
    tokens = list(tree.scan_values(lambda value: isinstance(value, Token)))
    if not tokens:
        return QueryError(message, code)
    return QueryError(message, code, tokens[0].start_pos or 0, tokens[-1].end_pos or 0)


def check_aggregates(
    selection: Tree[Token], where: Tree[Token] | None, group: Tree[Token] | None, order: Tree[Token] | None
) -> None:
    """Raises QueryError for an aggregate where none may be."""
    for clause, name in ((where, "WHERE"), (group, "GROUP BY"), (order, "ORDER BY")):
        for call in _aggregates(clause) if clause is not None else ():
            raise fault(f"An aggregate function is not allowed in the {name} clause.", call)
    for call in _aggregates(selection):
        for part in call.iter_subtrees():
            if part is not call and (_is_aggregate(part) or part.data in _SUBQUERIES):
                raise fault(
                    "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.", call
                )
    if group is not None and order is not None:
        raise fault("The ORDER BY clause is not supported together with a GROUP BY clause.", order)
    if group is not None and any(tree.data in _SUBQUERIES for tree in group.iter_subtrees()):
        raise fault("A subquery is not allowed in the GROUP BY clause.", group)


def check_folded(selection: Tree[Token], group: Tree[Token] | None, names: frozenset[str]) -> None:
    """Raises QueryError for a selected property (of one of the query's `names`) that a group has many values of."""
    if selection.data == "select_all":
        raise fault("'SELECT *' is not allowed with GROUP BY", group or selection)
    grouped = [] if group is None else [item for item in group.children if isinstance(item, Tree)]
    for item in selected(selection):
        _check_folded(item, grouped, names)


def check_compositions(selection: Tree[Token]) -> None:
    """Raises QueryError for an aggregate inside another expression: across partitions the service cannot compute it."""
    for item in selected(selection):
        if not _is_aggregate(item):
            for call in _aggregates(item):
                raise fault("Compositions of aggregates and other expressions are not allowed.", call)


def selected(selection: Tree[Token]) -> list[Tree[Token]]:
    """The expressions of a SELECT."""
    if selection.data == "select_all":
        return []
    items = [item for item in selection.children if isinstance(item, Tree)]
    if selection.data == "select_value":
        return items
    return [item.children[0] for item in items if isinstance(item.children[0], Tree)]


def sorts_selected(selection: Tree[Token], order: Tree[Token]) -> bool:
    """Whether ORDER BY sorts by what is selected, or by parts of it, and so equal results have equal places."""
    if selection.data == "select_all":
        return True
    wholes = selected(selection)
    return all(_part_of(item.children[0], wholes) for item in order.children if isinstance(item, Tree))


def _part_of(tree: Token | Tree[Token] | None, wholes: Sequence[Tree[Token]]) -> bool:
    while isinstance(tree, Tree):
        if tree in wholes:
            return True
        if tree.data not in ("member", "index"):
            return False
        tree = tree.children[0]
    return False


def _is_aggregate(tree: Tree[Token]) -> bool:
    return tree.data == "call" and str(tree.children[0]).upper() in AGGREGATES


def _aggregates(tree: Tree[Token]) -> Iterator[Tree[Token]]:
    """The aggregate calls of a query, those of its subqueries not among them."""
    if _is_aggregate(tree):
        yield tree
    elif tree.data not in _SUBQUERIES:
        for child in tree.children:
            if isinstance(child, Tree):
                yield from _aggregates(child)


def _check_folded(tree: Tree[Token], grouped: list[Tree[Token]], names: frozenset[str]) -> None:
    if _is_aggregate(tree) or tree in grouped:
        return
    root = tree
    while root.data == "member" or root.data == "index":
        root = root.children[0]  # type: ignore[assignment]  # the grammar has a tree here
    if root.data == "name" and str(root.children[0]) in names:
        raise fault(
            f"Property reference '{_path(tree)}' is invalid in the select list because it is not contained in either "
            "an aggregate function or the GROUP BY clause.",
            tree,
        )
    for child in tree.children:
        if isinstance(child, Tree):
            _check_folded(child, grouped, names)


def _path(tree: Tree[Token]) -> str:
    tokens = [str(token) for token in tree.scan_values(lambda value: isinstance(value, Token))]
    return tokens[0] + "".join(f"[{token}]" if token[0] in "\"'0123456789" else f".{token}" for token in tokens[1:])
