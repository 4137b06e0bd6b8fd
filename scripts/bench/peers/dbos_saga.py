"""The saga on DBOS, its state in SQLite; run in `.venv-bench`.

As DBOS opens SQLite, every commit waits for the disk. With DURABILITY=normal in the environment its file is opened
as `localazure` opens its own: write-ahead logging, `synchronous=NORMAL`, safe from a killed process but not from a
power cut. Source: docs.dbos.dev, "Configuration" (system_database_url, system_database_engine).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.bench import steps
from scripts.bench.peers.engine import RunSaga, main


@contextmanager
def engine(folder: Path, at_once: int) -> Iterator[RunSaga]:
    """DBOS, launched; a workflow runs in the thread that calls it."""
    import sqlalchemy  # type: ignore[import-not-found]  # in .venv-bench alone
    from dbos import DBOS  # type: ignore[import-not-found]  # in .venv-bench alone

    url = f"sqlite:///{folder / 'dbos.db'}"
    config: dict[str, Any] = {"name": "bench", "system_database_url": url, "log_level": "ERROR"}
    if os.environ.get("DURABILITY") == "normal":
        made = sqlalchemy.create_engine(url, pool_size=at_once + 10)
        sqlalchemy.event.listen(made, "connect", _as_localazure)
        config["system_database_engine"] = made
    DBOS(config=config)

    @DBOS.step()  # type: ignore[untyped-decorator]
    def step(name: str, order_id: str) -> str:
        return steps.write(name, order_id)

    @DBOS.workflow()  # type: ignore[untyped-decorator]
    def saga(order_id: str) -> list[str]:
        return [step(name, order_id) for name in steps.STEPS]

    DBOS.launch()
    try:
        yield saga
    finally:
        DBOS.destroy()


def _as_localazure(connection: Any, _: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


if __name__ == "__main__":
    main(engine)
