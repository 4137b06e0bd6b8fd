"""What the artifacts say, read and checked. Field names follow the resources of Azure Resource Manager."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localazure.apim.document import Element


@dataclass(frozen=True)
class Operation:
    """One operation of an API. `schema` is its OpenAPI operation object, parameters of the path included."""

    id: str
    method: str
    template: str
    name: str
    pattern: re.Pattern[str]
    schema: Mapping[str, Any]
    policy: Element | None


@dataclass(frozen=True)
class Api:
    """`path` is the public prefix without slashes, `url` the backend used where no policy names one."""

    id: str
    name: str
    path: str
    url: str
    subscription_required: bool
    key_header: str
    key_query: str
    operations: tuple[Operation, ...]
    definition: Mapping[str, Any]
    policy: Element | None


@dataclass(frozen=True)
class Product:
    id: str
    name: str
    subscription_required: bool
    published: bool
    apis: frozenset[str]
    policy: Element | None


@dataclass(frozen=True)
class Subscription:
    """A consumer's access to one product (`product` is its id) or, with an empty `product`, to every API."""

    id: str
    name: str
    product: str
    primary_key: str
    secondary_key: str
    state: str
    developer: str = ""


@dataclass(frozen=True)
class BreakerRule:
    """Trip after `count` failures within `interval` seconds, for `trip` seconds."""

    name: str
    count: int
    interval: float
    statuses: tuple[tuple[int, int], ...]
    reasons: frozenset[str]
    trip: float
    accept_retry_after: bool


@dataclass(frozen=True)
class Backend:
    id: str
    url: str
    rules: tuple[BreakerRule, ...] = ()


@dataclass(frozen=True)
class Artifacts:
    """Everything the gateway is configured with."""

    policy: Element | None
    apis: tuple[Api, ...]
    products: tuple[Product, ...]
    backends: Mapping[str, Backend]
    fragments: Mapping[str, Element]
    schemas: Mapping[str, Any] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    """Values of secret named values: no trace shows them."""
