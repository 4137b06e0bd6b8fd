"""What a service declares of itself: once, in the `declaration.py` of its package.

Everything else that has to know it is written from there by `python -m scripts.infrastructure`, or asks there: the
triggers refuse at import what is not declared. What its identity may do on Azure follows from the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from shared.contracts.event import EventData
from shared.settings import Setting

Write = Literal["batch", "create", "patch", "upsert", "delete"]
Fate = Literal["erased", "redacted", "kept"]
ROLES = {
    "customer": "A person who buys.",
    "staff": "Works for the shop: counts stock, changes products, sees everybody's orders.",
    "admin": "Runs the shop: may do what staff may.",
    "partner": "An application that buys for its own customers.",
}
"""Role → whose it is. A caller has one or more."""
CUSTOMER = ("customer", "staff", "admin", "partner")
STAFF = ("staff", "admin")
ADMIN = ("admin",)


class Undeclared(LookupError):
    """A service uses something that its declaration does not name."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of the service's database, partitioned by the property `partition_key`.

    `indexed`: the properties that queries look for, `name/[]` for what a list holds; all others are not indexed.
    `expires`: items may have a `ttl`.
    `outbox`: events lie beside the state here, and the service's change feed relays them. `writes`: how its store
    writes; after each kind of write stands a crash point.
    """

    name: str
    partition_key: str
    indexed: tuple[str, ...] = ()
    expires: bool = False
    outbox: bool = False
    writes: tuple[Write, ...] = ("batch",)

    def __post_init__(self) -> None:
        """Events are told from the state beside them by `kind`, by which operators look for parked ones."""
        if self.outbox and "kind" not in self.indexed:
            object.__setattr__(self, "indexed", ("kind", *self.indexed))


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """Where the process may die: the full name, the file it stands in, and what a crash there puts to the test."""

    name: str
    where: str
    proves: str


def crash_points(name: str, where: str, proves: str, *details: tuple[str, ...]) -> tuple[CrashPoint, ...]:
    """One point for each way to choose one of every group of `details`."""
    return tuple(CrashPoint(":".join((name, *chosen)), where, proves) for chosen in product(*details))


@dataclass(frozen=True, slots=True)
class Scope:
    """What an access token may allow, and the roles of which a caller needs one beside it."""

    name: str
    meaning: str
    roles: tuple[str, ...] = CUSTOMER


@dataclass(frozen=True, slots=True)
class Holding:
    """Something of a person that a service holds, and what becomes of it when they ask to be erased.

    `why`: for what is kept, what it is needed for and until when; for what is redacted, what is left.
    """

    what: str
    fate: Fate
    why: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError where something stays and nobody says why."""
        if (self.fate == "erased") == bool(self.why):
            raise ValueError(f"{self.what}: what is kept or redacted needs a reason, and what is erased needs none")


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its database and its topic have its name. `summary` says what it is for.

    `hears`: by topic, the events that it takes from there. `scopes`: what its operations demand of a caller.
    `settings`: those it needs beside the kit's. `durable`: it has orchestrators. `operates`: it reads the dead letters
    of every subscription, and sends them again. `crash_points`: those in its own code, and those of the kit that only
    it passes. `holds`: what it holds of a person; it is asked to erase it.
    """

    name: str
    summary: str
    containers: tuple[Container, ...]
    publishes: tuple[type[EventData], ...] = ()
    hears: Mapping[str, tuple[type[EventData], ...]] = field(default_factory=dict)
    scopes: tuple[Scope, ...] = ()
    settings: tuple[Setting, ...] = ()
    durable: bool = False
    operates: bool = False
    crash_points: tuple[CrashPoint, ...] = ()
    holds: tuple[Holding, ...] = ()

    def container(self, name: str) -> Container:
        """The container of that name. Raises Undeclared."""
        for container in self.containers:
            if container.name == name:
                return container
        known = ", ".join(container.name for container in self.containers)
        raise Undeclared(f"{self.name} declares no container {name}; its containers are {known}")

    def events(self, topic: str) -> tuple[type[EventData], ...]:
        """The events that it hears of a topic. Raises Undeclared."""
        if topic not in self.hears:
            known = ", ".join(self.hears) or "none"
            raise Undeclared(f"{self.name} does not declare that it hears {topic}; the topics it hears are {known}")
        return self.hears[topic]

    def scope(self, name: str) -> Scope:
        """The scope of that name. Raises Undeclared."""
        for scope in self.scopes:
            if scope.name == name:
                return scope
        known = ", ".join(scope.name for scope in self.scopes) or "none"
        raise Undeclared(f"{self.name} declares no scope {name}; its scopes are {known}")

    def require(self, *settings: Setting) -> None:
        """Raises Undeclared for a setting that it does not declare."""
        for setting in settings:
            if setting not in self.settings:
                raise Undeclared(f"{self.name} does not declare the setting {setting.name}")
