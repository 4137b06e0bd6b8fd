"""Which values of a property a condition can be true for at all: what an index on it would spare a query to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.expressions import Bindings, Scope
from localazure.cosmos.sql.folding import OPEN, closed, folded, is_closed
from localazure.cosmos.sql.paths import document_path
from localazure.cosmos.sql.sources import document_name
from localazure.cosmos.sql.values import UNDEFINED, identity

Values = dict[str, Any]
"""Values by a text that is the same for equal ones."""
_NOWHERE = s.Query(s.Select("list", ()))


def candidates(query: s.Query, path: tuple[str, ...], parameters: Mapping[str, Any]) -> list[Any] | None:
    """The values at the path (property names) that the query's WHERE leaves possible, or `None` for any."""
    found = _reading(query, path, Bindings(parameters, 0.0))
    return None if found is None else list(found.values())


def leaves_anything(query: s.Query, path: tuple[str, ...]) -> bool:
    """Whether the query's WHERE leaves any value possible at the path, whatever its parameters are."""
    search = _Search(query, path, Bindings({}, 0.0))
    first = query.sources[0].collection if query.sources else None
    return (query.where is None or search.is_silent(query.where)) and (
        not isinstance(first, s.Query) or leaves_anything(first, path)
    )


def pinned(query: s.Query, path: tuple[str, ...]) -> str | None:
    """The parameter that the property has to equal, where the query's WHERE says that and nothing else of it.

    Such a query needs no search for its values each time it is asked, which takes longer than to look at ten items.
    """
    where = query.where
    if not isinstance(where, s.Chain) or isinstance(query.sources[0].collection, s.Query):
        return None
    search, found = _Search(query, path, Bindings({}, 0.0)), None
    for term in (where.first, *[operand for _, operand in where.rest]) if where.rest[0][0] == "AND" else (where,):
        parameter = search.parameter(term)
        if (parameter is None and not search.is_silent(term)) or (parameter and found):
            return None
        found = found or parameter
    return found


def is_undefined(node: s.Expression, parameters: Mapping[str, Any]) -> bool:
    """Whether the expression is undefined, whatever the document."""
    return _Search(_NOWHERE, (), Bindings(parameters, 0.0)).constant(node) is UNDEFINED


def _reading(tree: s.Query, path: tuple[str, ...], given: Bindings) -> Values | None:
    """As `candidates`, for a query and those in its FROM."""
    found = None if tree.where is None else _Search(tree, path, given).values(tree.where)
    first = tree.sources[0].collection if tree.sources else None
    if not isinstance(first, s.Query):
        return found
    return _both(found, _reading(first, path, given))


class _Search:
    def __init__(self, query: s.Query, path: tuple[str, ...], given: Bindings) -> None:
        self._query, self._path, self._given = query, path, given
        self._name = document_name(query.sources)

    def values(self, node: s.Expression, wanted: bool = True) -> Values | None:
        """What the property can be where the expression is true (`wanted`), or false."""
        if isinstance(node, s.Chain):
            return self._logical(node, wanted) if node.rest[0][0] in ("AND", "OR") else self._compared(node, wanted)
        if isinstance(node, s.Unary) and node.operator == "NOT":
            return self.values(node.operand, not wanted)
        if isinstance(node, s.In) and node.negated is not wanted and self._is_property(node.wanted):
            return self._constants(node.choices)
        if self._is_property(node):
            return {identity(wanted): wanted}
        if wanted and isinstance(node, s.Call) and node.function == "IS_NULL" and self._is_property(node.arguments[0]):
            return {identity(None): None}
        if (left := folded(node)) is not node:
            return self.values(left, wanted)
        return None if (value := self.constant(node)) is OPEN or value is wanted else {}

    def is_silent(self, node: s.Expression) -> bool:
        """Whether the expression says nothing of the property, and is about a row in each of its terms."""
        if isinstance(node, s.Unary) and node.operator == "NOT":
            return self.is_silent(node.operand)
        if isinstance(node, s.Chain) and node.rest[0][0] in ("AND", "OR"):
            return self.is_silent(node.first) and all(self.is_silent(operand) for _, operand in node.rest)
        parts = (node, *s.children(node))
        if folded(node) is not node or is_closed(node):
            return False
        return not any(self._is_property(part) or part == s.Constant(UNDEFINED) for part in parts)

    def parameter(self, node: s.Expression) -> str | None:
        """The parameter that the expression says the property equals."""
        if not isinstance(node, s.Chain) or len(node.rest) != 1 or node.rest[0][0] != "=":
            return None
        one, other = node.first, node.rest[0][1]
        if isinstance(one, s.Parameter):
            one, other = other, one
        return other.name if isinstance(other, s.Parameter) and self._is_property(one) else None

    def _logical(self, node: s.Chain, wanted: bool) -> Values | None:
        found = [self.values(node.first, wanted), *[self.values(operand, wanted) for _, operand in node.rest]]
        return _any_of(found) if (node.rest[0][0] == "OR") is wanted else _all_of(found)

    def _compared(self, node: s.Chain, wanted: bool) -> Values | None:
        operator, operands = node.rest[0][0], [node.first, *[operand for _, operand in node.rest]]
        if operator == ("=" if wanted else "!=") and len(operands) == 2:
            for one, other in (operands, reversed(operands)):
                if self._is_property(one):
                    return self._constants([other])
        if any(isinstance(operand, s.Constant) and operand.value is UNDEFINED for operand in operands):
            return {}
        return None if (value := self.constant(node)) is OPEN or value is wanted else {}

    def _is_property(self, node: s.Expression) -> bool:
        if isinstance(node, s.Member) and isinstance(node.of, s.Name) and node.of.name == self._name:
            steps, path = node.steps, self._path
            return steps[-1].key == path[-1] and tuple([step.key for step in steps]) == path
        return not isinstance(node, s.Constant | s.Parameter) and document_path(node, self._query) == self._path

    def _constants(self, nodes: Iterable[s.Expression]) -> Values | None:
        found: Values = {}
        for node in nodes:
            value = self.constant(node)
            if value is OPEN:
                return None
            if value is not UNDEFINED:
                found[identity(value)] = value
        return found

    def constant(self, node: s.Expression) -> Any:
        """The value of an expression that is about no row; `OPEN` for one that is."""
        if isinstance(node, s.Constant):
            return node.value
        if isinstance(node, s.Parameter):
            return self._given.parameters.get(node.name, OPEN)
        if _mentions(node):
            return OPEN
        found = closed(node)
        if found is None or not found.parameters <= self._given.parameters.keys():
            return OPEN
        return found.evaluate(Scope({}, self._given))


def _all_of(found: Sequence[Values | None]) -> Values | None:
    result: Values | None = None
    for values in found:
        result = _both(result, values)
    return result


def _any_of(found: Sequence[Values | None]) -> Values | None:
    result: Values = {}
    for values in found:
        if values is None:
            return None
        result |= values
    return result


def _both(left: Values | None, right: Values | None) -> Values | None:
    if left is None or right is None:
        return right if left is None else left
    return {name: value for name, value in left.items() if name in right}


def _mentions(node: s.Expression) -> bool:
    """Whether it is plain to see that the expression is about a row, as most are: no need to hash it."""
    if isinstance(node, s.Chain):
        return any(map(_mentions, (node.first, node.rest[0][1])))
    return isinstance(node, s.Name) or (isinstance(node, s.Member) and isinstance(node.of, s.Name))
