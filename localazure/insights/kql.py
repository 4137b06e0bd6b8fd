"""Kusto queries as SQL, by `duckdb-kql` in a process of its own (`translator.py`)."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from localazure.insights.errors import BadQuery, TooLong, Unsupported
from localazure.insights.schema import TABLES

MAX_QUERY = 64 * 1024
"""Characters of a query: what fits a GET of the service, several times over."""
SECONDS = 10.0
"""For a translation: an ordinary query takes a twentieth of a second."""
_SCHEMA = {table: list(columns) for table, columns in TABLES.items()}
_ROOT = Path(__file__).parents[2]
_MAX_ANSWER = 16 * 1024 * 1024


@dataclass(frozen=True)
class Statement:
    """SQL that reads, with the values of its parameters."""

    sql: str
    parameters: dict[str, Any]


class Translator:
    """Owns the process, which is started by the first query and again after one that it did not survive."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def statement(self, query: str, now: datetime) -> Statement:
        """Raises BadQuery, Unsupported, or TooLong."""
        if len(query) > MAX_QUERY:
            raise BadQuery(f"the query is longer than {MAX_QUERY} characters", "SyntaxError")
        if query.lstrip().startswith("."):
            raise Unsupported("control commands")
        async with self._turn:
            answer = await self._ask({"query": query, "schema": _SCHEMA, "now": now.isoformat()})
        line, column = answer.get("line"), answer.get("column")
        match answer.get("refused"):
            case None:
                parameters = {name: _value(value) for name, value in answer["parameters"].items()}
                return Statement(answer["sql"], parameters)
            case "unsupported":
                raise Unsupported(answer["message"], line, column)
            case "semantic":
                raise BadQuery(answer["message"], "SemanticError")
            case _:
                raise BadQuery(answer["message"], "SyntaxError", line, column)

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(SECONDS):
                return await self._exchange(json.dumps(question).encode() + b"\n")
        except BaseException as exc:  # its next answer would be that of this question
            await self.stop()
            if isinstance(exc, TimeoutError):
                raise TooLong(f"the query was not understood within {SECONDS:g} s") from None
            if isinstance(exc, ValueError | ConnectionError):  # it has died, or says more than anybody reads
                raise BadQuery("the query is too complex", "SyntaxError") from None
            raise

    async def _exchange(self, question: bytes) -> dict[str, Any]:
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(question)
        await process.stdin.drain()
        return dict(json.loads(await process.stdout.readline()))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "localazure.insights.translator"),
                cwd=_ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_MAX_ANSWER,
            )
        return self._process

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            transport = getattr(process, "_transport", None)
            if transport is not None:
                transport.close()


def _value(value: Any) -> Any:
    return datetime.fromisoformat(value["datetime"]) if isinstance(value, dict) else value
