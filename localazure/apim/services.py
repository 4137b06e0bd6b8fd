"""What the policies of one gateway share."""

from __future__ import annotations

from dataclasses import dataclass, field

from localazure.apim.backends import Backends
from localazure.apim.cache import ResponseCache
from localazure.apim.counters import Quotas, Rates
from localazure.apim.metrics import Metrics
from localazure.apim.model import Api, Artifacts
from localazure.apim.schemas import Schemas
from localazure.apim.tokens import ManagedIdentity, Verifier
from localazure.clock import Clock


@dataclass
class Services:
    """Counters, caches and connections. Nothing of it survives the process."""

    artifacts: Artifacts
    clock: Clock
    backends: Backends
    tokens: Verifier
    identity: ManagedIdentity
    started: float
    rates: Rates = field(default_factory=Rates)
    quotas: Quotas = field(default_factory=Quotas)
    cache: ResponseCache = field(default_factory=ResponseCache)
    metrics: Metrics = field(default_factory=Metrics)
    _schemas: dict[str, Schemas] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget every count and every answer, as a new process has."""
        self.rates.clear()
        self.quotas.clear()
        self.cache.clear()
        self.metrics.clear()
        self.backends.close_breakers()

    def schemas(self, api: Api) -> Schemas:
        """The validators of one API."""
        if api.id not in self._schemas:
            self._schemas[api.id] = Schemas(api.definition)
        return self._schemas[api.id]
