"""Reading the tables for the console's own views: bounded in time, beside the queries that people write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from localazure.insights.console.errors import Busy, Unavailable
from localazure.insights.store import Store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logging.getLogger("localazure.insights")

SECONDS = 10.0
"""For one view; an ordinary one takes a tenth of a second."""
MAX_CONCURRENCY, WAITING = 2, 32
"""Views that are read, and that may wait for it."""

Row = dict[str, Any]


class Reader:
    """Owns the threads that read. `application` is whose items are shown."""

    def __init__(self, store: Store, application: str) -> None:
        self.application = application
        self._store = store
        self._threads = ThreadPoolExecutor(MAX_CONCURRENCY, "insights-console")
        self._running = asyncio.Semaphore(MAX_CONCURRENCY)
        self._waiting = 0

    async def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """What a statement of ours gives; `$application` is set. Raises Busy and Unavailable."""
        if self._waiting >= WAITING:
            raise Busy("too much is being read at once; try again in a moment")
        self._waiting += 1
        try:
            async with self._running:
                return await self._read(sql, {"application": self.application, **parameters})
        finally:
            self._waiting -= 1

    async def _read(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """The thread is waited for whatever happens: a connection is closed by nobody else."""
        connection = self._store.reader()
        work = asyncio.get_running_loop().run_in_executor(self._threads, _rows, connection, sql, parameters)
        try:
            return await asyncio.wait_for(asyncio.shield(work), SECONDS)
        except (TimeoutError, asyncio.CancelledError) as exc:
            while not work.done():  # an interrupt between two statements is lost
                connection.interrupt()
                await asyncio.wait([work], timeout=0.1)
            work.exception()
            if isinstance(exc, TimeoutError):
                raise Unavailable(f"that took longer than {SECONDS:g} s; look at a shorter time") from None
            raise
        except duckdb.Error as exc:
            log.warning("a view cannot be read", exc_info=True)
            raise Unavailable(f"the telemetry cannot be read: {type(exc).__name__}") from exc
        finally:
            connection.close()

    def stop(self) -> None:
        self._threads.shutdown(cancel_futures=True)


def _rows(connection: DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
    cursor = connection.execute(sql, dict(parameters))
    names = [str(column[0]) for column in cursor.description or ()]
    return [dict(zip(names, map(_plain, row), strict=True)) for row in cursor.fetchall()]


def _plain(value: Any) -> Any:
    return f"{value.isoformat(timespec='microseconds')}Z" if isinstance(value, datetime) else value
