"""The saga on durabletask's in-memory backend, client, worker and backend in one process; run in `.venv-bench`.

Nothing of the engine's own state reaches a disk, only the steps' rows do. Source: `durabletask.testing`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.bench import steps
from scripts.bench.peers.engine import RunSaga, main

TIMEOUT = 60


@contextmanager
def engine(_: Path, at_once: int) -> Iterator[RunSaga]:
    """Backend, worker and client over gRPC on a port of the operating system's choice."""
    from durabletask.client import TaskHubGrpcClient  # type: ignore[import-not-found]  # in .venv-bench alone
    from durabletask.testing import create_test_backend  # type: ignore[import-not-found]  # in .venv-bench alone
    from durabletask.worker import (  # type: ignore[import-not-found]  # in .venv-bench alone
        ConcurrencyOptions,
        TaskHubGrpcWorker,
    )

    logging.disable(logging.WARNING)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    backend = create_test_backend(port=port)
    address = f"localhost:{port}"
    options = ConcurrencyOptions(maximum_thread_pool_workers=at_once)
    with TaskHubGrpcWorker(host_address=address, concurrency_options=options) as worker:
        worker.add_orchestrator(saga)
        worker.add_activity(step)
        worker.start()
        client = TaskHubGrpcClient(host_address=address)

        def run(order_id: str) -> list[str]:
            identifier = client.schedule_new_orchestration(saga, input=order_id)
            state = client.wait_for_orchestration_completion(identifier, timeout=TIMEOUT)
            state.raise_if_failed()
            return list(state.get_output())

        yield run
    backend.stop()


def saga(context: Any, order_id: str) -> Generator[Any, Any, list[str]]:
    """Five activities, one after another."""
    done = []
    for name in steps.STEPS:
        done.append((yield context.call_activity(step, input={"step": name, "order_id": order_id})))
    return done


def step(_: Any, work: dict[str, str]) -> str:
    """Write one row."""
    return steps.write(work["step"], work["order_id"])


if __name__ == "__main__":
    main(engine)
