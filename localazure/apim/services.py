"""What the policies of one gateway share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from localazure.apim.backends import Backends
from localazure.apim.cache import Cache, kept_responses, kept_values
from localazure.apim.context import Response
from localazure.apim.counters import Quotas, Rates
from localazure.apim.metrics import Metrics
from localazure.apim.model import Api, Artifacts
from localazure.apim.schemas import Schemas
from localazure.apim.tokens import ManagedIdentity
from localazure.apim.trace import Traces
from localazure.clock import Clock
from localazure.verifier import Verifier

log = logging.getLogger("localazure.apim")

MAX_BACKGROUND = 1000
"""Requests that nobody waits for, at one time: each may hold a connection until its time-out."""


@dataclass
class Services:
    """Counters, caches and connections. Nothing of it survives the process."""

    artifacts: Artifacts
    clock: Clock
    backends: Backends
    tokens: Verifier
    identity: ManagedIdentity
    session: aiohttp.ClientSession
    started: float
    authority: str = ""
    """The issuer of this machine, which stands in for login.microsoftonline.com."""
    rates: Rates = field(default_factory=Rates)
    quotas: Quotas = field(default_factory=Quotas)
    cache: Cache[Response] = field(default_factory=kept_responses)
    values: Cache[tuple[Any]] = field(default_factory=kept_values)
    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces = field(default_factory=Traces)
    background: set[asyncio.Task[None]] = field(default_factory=set)
    _schemas: dict[str, Schemas] = field(default_factory=dict)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what no request waits for; with too much under way already, it is left undone and the log says so."""
        if len(self.background) >= MAX_BACKGROUND:
            work.close()
            log.warning("%d requests are under way that nobody waits for: one more is not made", MAX_BACKGROUND)
            return
        task = asyncio.get_running_loop().create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    async def stop(self) -> None:
        """Give up what is under way."""
        tasks = list(self.background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def reset(self) -> None:
        """Forget every count and every answer, as a new process has."""
        self.rates.clear()
        self.quotas.clear()
        self.cache.clear()
        self.values.clear()
        self.metrics.clear()
        self.traces.clear()
        self.backends.close_breakers()

    def with_artifacts(self, artifacts: Artifacts) -> Services:
        """The same counters, caches and connections for artifacts that were read again."""
        backends = Backends(dict(artifacts.backends), self.session, self.clock)
        backends.keep_breakers(self.backends)
        return replace(self, artifacts=artifacts, backends=backends, _schemas={})

    def schemas(self, api: Api) -> Schemas:
        """The validators of one API."""
        if api.id not in self._schemas:
            self._schemas[api.id] = Schemas(api.definition)
        return self._schemas[api.id]
