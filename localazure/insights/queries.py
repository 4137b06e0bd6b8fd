"""Running a query: what it may name, how long it may take, how much it may give."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from localazure.insights import names
from localazure.insights.errors import BadQuery, QueryError, Throttled, TooLong
from localazure.insights.kql import Statement, Translator
from localazure.insights.store import Period, Store, restrict

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SECONDS, MAX_SECONDS = 180.0, 600.0
"""How long a query may take unless it asks for less or more; the service's own."""
ROWS = 500_000
"""Of an answer, as at the service; beyond, it is marked as partial."""
MAX_CONCURRENCY, WAITING = 2, 16
"""Queries that run, and that may wait for it."""

_NAME = re.compile(r'(?:column|name) "([^"]*)"')
_PLACE = re.compile(r"\n\s*LINE \d+:.*", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """The answer: columns with their DuckDB types, and rows. `partial`: there were more."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]
    partial: bool


class Queries:
    """Owns the threads that run queries and the translator."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._translator = Translator()
        self._threads = ThreadPoolExecutor(MAX_CONCURRENCY, "insights-query")
        self._running = asyncio.Semaphore(MAX_CONCURRENCY)
        self._waiting = 0

    async def run(self, query: str, application: str, period: Period, now: datetime, seconds: float) -> Table:
        """Raises QueryError, or Throttled where too many wait."""
        if self._waiting >= WAITING:
            raise Throttled
        self._waiting += 1
        try:
            async with asyncio.timeout(min(seconds, MAX_SECONDS)):
                statement = await self._translator.statement(query, now)
                async with self._running:
                    return await self._execute(statement, application, period)
        except TimeoutError:
            raise TooLong(f"The query did not end within {seconds:g} s") from None
        finally:
            self._waiting -= 1

    async def _execute(self, statement: Statement, application: str, period: Period) -> Table:
        """The thread is waited for whatever happens: a connection is closed by nobody else."""
        loop = asyncio.get_running_loop()
        connection = self._store.reader()
        work = loop.run_in_executor(self._threads, _read, connection, statement, application, period)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            while not work.done():  # an interrupt between two statements is lost
                connection.interrupt()
                await asyncio.wait([work], timeout=0.1)
            work.exception()
            raise
        finally:
            connection.close()

    async def stop(self) -> None:
        await self._translator.stop()
        self._threads.shutdown(cancel_futures=True)


def _read(connection: DuckDBPyConnection, statement: Statement, application: str, period: Period) -> Table:
    try:
        names.check(connection, statement.sql)
        restrict(connection, application, period)
        limited = f"SELECT * FROM (\n{statement.sql}\n) LIMIT {ROWS + 1}"  # noqa: S608  # what the translator wrote
        cursor = connection.execute(limited, statement.parameters or None)
        columns = [(str(column[0]), str(column[1])) for column in cursor.description or ()]
        rows = cursor.fetchmany(ROWS + 1)
    except duckdb.InterruptException:
        raise TooLong("the query was ended") from None
    except (duckdb.BinderException, duckdb.CatalogException) as exc:
        raise _unresolved(exc) from exc
    except (duckdb.OutOfMemoryException, MemoryError) as exc:
        raise BadQuery("The query needs more memory than there is for one", "ResourceExceeded") from exc
    except (duckdb.DataError, duckdb.ProgrammingError, duckdb.NotSupportedError) as exc:
        raise BadQuery(_said(exc), "SemanticError") from exc
    return Table(columns, rows[:ROWS], len(rows) > ROWS)


def _unresolved(exc: Exception) -> QueryError:
    if (found := _NAME.search(str(exc))) is not None:
        return BadQuery(f"Failed to resolve scalar expression named '{found[1]}'", "SemanticError")
    return BadQuery(_said(exc), "SemanticError")


def _said(exc: Exception) -> str:
    """What DuckDB says, without the SQL that the caller never wrote."""
    return _PLACE.sub("", str(exc)).strip()[:500]
