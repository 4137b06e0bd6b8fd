"""What a function's `context` parameter is: the worker's own class has the same names, the deprecated ones too.

Without Application Insights the host follows no trace, and the context has none; with it, each invocation is a span of
the host's own, in the caller's trace where there is one.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localazure.functions.engine import Invocation
from localazure.functions.indexing import Function

TELEMETRY = ("APPLICATIONINSIGHTS_CONNECTION_STRING", "APPINSIGHTS_INSTRUMENTATIONKEY")
"""Settings, one of which connects the host to Application Insights."""
local = threading.local()
"""One for the whole worker: a function's threads find the id of the invocation they work for in it."""
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")


@dataclass(frozen=True)
class TraceContext:
    """Where the invocation stands in a distributed trace."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def Traceparent(self) -> str:
        return self.trace_parent

    @property
    def Tracestate(self) -> str:
        return self.trace_state

    @property
    def Attributes(self) -> Mapping[str, str]:
        return self.attributes


def trace_of(traceparent: str) -> TraceContext:
    """The host's own span beside `traceparent`, the caller's; none where nobody listens to traces."""
    if not any(os.environ.get(name) for name in TELEMETRY):
        return TraceContext()
    match = _TRACEPARENT.fullmatch(traceparent)
    trace, flags = match.groups() if match else (secrets.token_hex(16), "00")
    return TraceContext(f"00-{trace}-{secrets.token_hex(8)}-{flags}")


@dataclass(frozen=True)
class Context:
    """Names and types as `azure.functions.Context`."""

    invocation_id: str
    function_name: str
    function_directory: str
    trace_context: TraceContext
    retry_context: Any
    thread_local_storage: Any = local


def context_of(function: Function, invocation: Invocation) -> Context:
    return Context(
        invocation_id=invocation.id,
        function_name=function.name,
        function_directory=str(function.directory),
        trace_context=trace_of(invocation.traceparent),
        retry_context=invocation.retry,
    )
