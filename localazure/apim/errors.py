"""What can go wrong: before the gateway starts (the artifacts are wrong) and while it serves (a request fails)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where something stands in the artifacts: file, line (from 1) and element, such as `inbound/choose/when`."""

    file: Path
    line: int
    element: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: <{self.element}>"


class ArtifactError(ValueError):
    """The gateway cannot be configured from these files. The message says where, what, and what is possible."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place


class Unsupported(ArtifactError):
    """Azure API Management has this, the local gateway does not."""


class ExpressionError(ValueError):
    """A policy expression that is not in the supported subset of C#, or fails; `offset` counts from its start."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True)
class Failure:
    """`context.LastError`. Source: "Error handling in API Management policies", tables of predefined errors."""

    source: str
    reason: str
    message: str
    scope: str = ""
    section: str = ""
    path: str = ""
    policy_id: str = ""

    def located(self, scope: str, section: str, path: str, policy_id: str) -> Failure:
        """The same, with the place where it happened unless it knows a closer one."""
        if self.section:
            return self
        return replace(self, scope=scope, section=section, path=path, policy_id=policy_id)


class GatewayError(Exception):
    """A step failed: control goes to on-error, and `status` is what the caller gets if nothing there decides."""

    def __init__(self, status: int, failure: Failure, headers: dict[str, str] | None = None) -> None:
        super().__init__(failure.message)
        self.status = status
        self.failure = failure
        self.headers = headers or {}
