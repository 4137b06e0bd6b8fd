"""Where the request goes: set-backend-service, forward-request, limit-concurrency."""

from __future__ import annotations

import asyncio

from localazure.apim.context import Context
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError
from localazure.apim.policies.base import Builder, Run, policy, run_steps
from localazure.apim.policies.sending import timeout_of


@policy("set-backend-service", "inbound backend")
def set_backend_service(element: Element, builder: Builder) -> Run:
    """A backend by its id, with its circuit breaker, or an address without one."""
    element.allow("base-url backend-id")
    if len({"base-url", "backend-id"} & element.attributes.keys()) != 1:
        raise ArtifactError("set-backend-service has base-url or backend-id", element.place)
    if "base-url" in element.attributes:
        url = builder.attribute(element, "base-url", "string")

        def address(context: Context) -> None:
            context.backend, context.backend_url = "", url(context)

        return address
    name, known = builder.attribute(element, "backend-id", "string"), builder.services.artifacts.backends
    if not name.text.startswith("@") and name.text not in known:
        raise ArtifactError(f"there is no backend {name.text!r}; there are {', '.join(known)}", element.place)

    def run(context: Context) -> None:
        found = known.get(name(context))
        if found is None:
            raise context.fail(500, "set-backend-service", "BackendNotFound", f"There is no backend {name(context)}.")
        context.backend, context.backend_url = found.id, found.url

    return run


@policy("forward-request", "backend", once=True)
def forward_request(element: Element, builder: Builder) -> Run:
    """Ask the backend. Fails with BackendConnectionFailure, Timeout, or where the circuit is open."""
    element.allow(
        "timeout timeout-ms continue-timeout follow-redirects buffer-request-body buffer-response "
        "fail-on-error-status-code http-version"
    )
    timeout = timeout_of(element, builder, 300)
    follow = builder.attribute(element, "follow-redirects", "bool", "false")
    again = builder.flag(element, "buffer-request-body", "false")
    fail = builder.flag(element, "fail-on-error-status-code", "false")
    builder.flag(element, "buffer-response", "true")
    builder.choice(element, "http-version", "1 2or1 2", "1")
    backends = builder.services.backends

    async def run(context: Context) -> None:
        if again and context.request.body is not None:
            await context.request.body.load()
        context.response = answer = await backends.send(context, timeout(context), follow(context))
        if fail and answer.status >= 400:
            message = f"The backend answered {answer.status}."
            raise context.fail(answer.status, "forward-request", "ErrorStatusCode", message)

    return run


@policy("limit-concurrency")
def limit_concurrency(element: Element, builder: Builder) -> Run:
    """At most `max-count` requests of one key inside at a time; more are refused with 429."""
    element.allow("key! max-count!", children=" ".join({child.name for child in element.children}))
    key, most = builder.attribute(element, "key", "string"), builder.number(element, "max-count")
    steps, inside = builder.steps(element.children), dict[str, int]()

    async def run(context: Context) -> None:
        name = key(context)
        if inside.get(name, 0) >= most:
            raise context.fail(429, "limit-concurrency", "ConcurrencyLimitExceeded", "Concurrency limit is exceeded.")
        inside[name] = inside.get(name, 0) + 1
        try:
            await asyncio.shield(run_steps(steps, context))
        finally:
            inside[name] -= 1

    return run
