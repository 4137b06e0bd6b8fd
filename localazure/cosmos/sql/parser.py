"""Whole queries: the clauses, in the order in which they have to stand."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.expression_parser import ExpressionParser
from localazure.cosmos.sql.lexer import Token
from localazure.cosmos.sql.syntax import Count, Expression, Item, PathSource, Query, Select, Sort, Source


@lru_cache(maxsize=512)
def parsed(text: str) -> Query:
    """The query's tree. Raises QueryError with the place of the error."""
    parser = _QueryParser(text)
    query = parser.query()
    parser.expect("end")
    if query.select.kind == "*" and not query.sources:
        message = "Syntax error, 'SELECT *' is not valid if FROM clause is omitted."
        raise QueryError(message, "SC1021", *query.select.place)
    return query


class _QueryParser(ExpressionParser):
    def query(self) -> Query:
        begin = self.expect("SELECT").start
        distinct = self.accept("DISTINCT") is not None
        top = self._count("TOP", "number", "parameter")
        select = self._select()
        sources = self._sources()
        where = self.expression() if self.accept("WHERE") else None
        group = self._group()
        order_begin = self.token.start
        order = self._order()
        order_place = (order_begin, self.last().end)
        offset_begin = self.token.start
        offset = self._count("OFFSET", "number", "parameter")
        limit = None
        if offset is not None:
            if self.token.kind != "LIMIT":
                raise self.unexpected()
            limit = self._count("LIMIT", "number", "parameter")
        end = self.last().end
        return Query(
            select=select,
            distinct=distinct,
            top=None if top is None else top[0],
            top_place=(0, 0) if top is None else top[1],
            sources=sources,
            where=where,
            group=group,
            order=order,
            order_place=order_place,
            offset=None if offset is None else offset[0],
            limit=None if limit is None else limit[0],
            offset_place=(offset_begin, end),
            place=(begin, end),
        )

    def _count(self, keyword: str, *kinds: str) -> tuple[Count, tuple[int, int]] | None:
        opening = self.accept(keyword)
        if opening is None:
            return None
        token = self.expect(*kinds)
        if token.text.startswith("-"):
            raise QueryError("Syntax error, incorrect syntax near '-'.", "SC1001", token.start, token.start + 1)
        if keyword != "TOP" and isinstance(token.value, float):
            raise self.unexpected(token)
        value = token.text if token.kind == "parameter" else token.value
        return Count(value, token.place), (opening.start, token.end)

    def _select(self) -> Select:
        if star := self.accept("*"):
            return Select("*", (), star.place)
        if self.accept("VALUE"):
            value = self.expression()
            return Select("VALUE", (Item(value, None),), value.place)
        items = [self._item()]
        while self.accept(","):
            items.append(self._item())
        return Select("list", tuple(items), (items[0].value.place[0], self.last().end))

    def _item(self) -> Item:
        value = self.expression()
        alias = self.expect("name", "string") if self.accept("AS") else self.accept("name", "string")
        if alias is None:
            return Item(value, None)
        return Item(value, alias.value if alias.kind == "string" else alias.text, alias.place)

    def _sources(self) -> tuple[Source, ...]:
        if self.accept("FROM") is None:
            return ()
        sources = [self._source()]
        while self.accept("JOIN"):
            sources.append(self._source())
        return tuple(sources)

    def _source(self) -> Source:
        if self.token.kind == "name" and self.following.kind == "IN":
            name = self.next()
            self.next()
            return Source(self._collection(), name.text, True, name.place)
        collection = self._collection()
        alias: Token | None = self.expect("name") if self.accept("AS") else self.accept("name")
        if alias is not None:
            return Source(collection, alias.text, False, alias.place)
        place = collection.place
        if isinstance(collection, PathSource) and collection.steps:
            place = collection.steps[-1].place
        return Source(collection, None, False, place)

    def _collection(self) -> PathSource | Query:
        if self.accept("("):
            if self.token.kind != "SELECT":
                raise self.unexpected()
            query, _ = self.subquery()
            self.expect(")")
            return query
        root = self.expect("name")
        return PathSource(root.text, tuple(self.steps(root.start, computed=False)), root.place)

    def _group(self) -> tuple[Expression, ...]:
        if self.accept("GROUP") is None:
            return ()
        self.expect("BY")
        found = [self.expression()]
        while self.accept(","):
            found.append(self.expression())
        return tuple(found)

    def _order(self) -> tuple[Sort, ...]:
        if self.accept("ORDER") is None:
            return ()
        self.expect("BY")
        if self.token.text.upper() == "RANK" and self.following.kind == "name":
            raise QueryError("ORDER BY RANK is not supported by the local server", "", *self.token.place)
        found = [self._sort()]
        while self.accept(","):
            found.append(self._sort())
        return tuple(found)

    def _sort(self) -> Sort:
        value = self.expression()
        given = self.accept("ASC", "DESC")
        direction: Literal["", "ASC", "DESC"] = "" if given is None else "ASC" if given.kind == "ASC" else "DESC"
        return Sort(value, direction)
