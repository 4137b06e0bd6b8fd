"""Rates and quotas. Source: the reference pages of rate-limit, rate-limit-by-key, quota and quota-by-key."""

from __future__ import annotations

from datetime import UTC, datetime

from localazure.apim.context import Context
from localazure.apim.counters import Verdict
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError, Failure, GatewayError
from localazure.apim.policies.base import Builder, Run, policy

MAX_RATE = 300
"""Seconds: the longest renewal-period of a rate limit."""
MAX_AT_ONCE = 100_000
"""Calls that one increment-count may add: each is kept until its period is over."""
SHORTEST_QUOTA = 300
"""Seconds: the shortest renewal-period of quota-by-key."""
_REPORTS = (
    "retry-after-header-name retry-after-variable-name remaining-calls-header-name remaining-calls-variable-name "
    "total-calls-header-name"
)


class _Report:
    """Which headers and variables tell the caller where the count stands."""

    def __init__(self, element: Element, builder: Builder) -> None:
        def name(attribute: str, default: str = "") -> str:
            return builder.literal(element, attribute, default)

        self._retry_header = name("retry-after-header-name", "Retry-After")
        self._retry_variable = name("retry-after-variable-name")
        self._remaining_header = name("remaining-calls-header-name")
        self._remaining_variable = name("remaining-calls-variable-name")
        self._total_header = name("total-calls-header-name")

    def tell(self, context: Context, verdict: Verdict, calls: int) -> None:
        """Note the figures; raise the error for a call that is too many."""
        promised = context.sent_with_answer
        if self._remaining_header:
            held = promised.get(self._remaining_header, str(verdict.remaining))
            promised.set(self._remaining_header, [str(min(int(held), verdict.remaining))])
        if self._remaining_variable:
            context.variables[self._remaining_variable] = verdict.remaining
        if self._total_header:
            promised.set(self._total_header, [str(calls)])
        if verdict.allowed:
            return
        if self._retry_variable:
            context.variables[self._retry_variable] = verdict.wait
        message = f"Rate limit is exceeded. Try again in {verdict.wait} seconds."
        raise GatewayError(
            429, Failure("rate-limit", "RateLimitExceeded", message), {self._retry_header: str(verdict.wait)}
        )


@policy("rate-limit", "inbound", "product api operation", once=True)
def rate_limit(element: Element, builder: Builder) -> Run:
    """By subscription, at this place; a request without one is not limited."""
    element.allow(f"calls! renewal-period! {_REPORTS}")
    calls, period = builder.number(element, "calls"), builder.number(element, "renewal-period")
    _check_period(element, period)
    report, services = _Report(element, builder), builder.services

    def run(context: Context) -> None:
        if context.subscription is None:
            return
        scope = {"api": context.api, "operation": context.operation, "product": context.product}[builder.scope]
        key = f"rate/{builder.scope}/{scope.id if scope else ''}/{context.subscription.id}"
        report.tell(context, services.rates.check(key, calls, period, services.clock.time()), calls)

    return run


@policy("rate-limit-by-key", "inbound")
def rate_limit_by_key(element: Element, builder: Builder) -> Run:
    """By any text. Equal texts share one counter, wherever they are used."""
    element.allow(
        "calls! renewal-period! counter-key! increment-condition increment-count increment-after-response "
        f"flexible-retry-window {_REPORTS}"
    )
    calls = builder.attribute(element, "calls", "int")
    period = builder.attribute(element, "renewal-period", "int")
    if not period.text.startswith("@"):
        _check_period(element, int(period.text))
    key = builder.attribute(element, "counter-key", "string")
    condition = builder.attribute(element, "increment-condition", "bool", "true")
    amount = builder.attribute(element, "increment-count", "int", "1")
    report, services = _Report(element, builder), builder.services
    later = builder.flag(element, "increment-after-response", "false")
    later = later or any(expression.text.lstrip().startswith("@") for expression in (condition, amount))

    def at_once(context: Context) -> None:
        name, most, now = f"key/{key(context)}", calls(context), services.clock.time()
        count = amount(context) if condition(context) else 0
        report.tell(context, services.rates.check(name, most, period(context), now, count), most)

    def afterwards(context: Context) -> None:
        # Source: the policy's usage notes: expressions are evaluated at the end of outbound, and the 429 comes with
        # the call after the one that passed the limit.
        name, most, span = f"key/{key(context)}", calls(context), period(context)
        report.tell(context, services.rates.look(name, most, span, services.clock.time()), most)

        def count(ended: Context) -> None:
            if condition(ended) and (more := int(amount(ended))) > 0:
                services.rates.add(name, services.clock.time(), min(more, MAX_AT_ONCE))

        context.afterwards.append(count)

    return afterwards if later else at_once


@policy("quota", "inbound", "product", once=True)
def quota(element: Element, builder: Builder) -> Run:
    """By subscription; a request without one is not limited. Periods count from the gateway's start."""
    element.allow("calls bandwidth renewal-period!")
    check = _Quota(element, builder, builder.services.started)

    def run(context: Context) -> None:
        if context.subscription is not None:
            check(context, f"quota/{context.subscription.id}")

    return run


@policy("quota-by-key", "inbound")
def quota_by_key(element: Element, builder: Builder) -> Run:
    """By any text."""
    element.allow("calls bandwidth renewal-period! increment-condition increment-count counter-key! first-period-start")
    start = element.attributes.get("first-period-start", "0001-01-01T00:00:00Z")
    try:
        moment = datetime.fromisoformat(start.replace("Z", "+00:00"))
    except ValueError as exc:
        raise ArtifactError(
            f"'first-period-start' is not a time such as 2026-01-01T00:00:00Z: {exc}", element.place
        ) from exc
    origin = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    check = _Quota(element, builder, origin)
    if 0 < check.period < SHORTEST_QUOTA:
        raise ArtifactError(f"'renewal-period' is at least {SHORTEST_QUOTA} seconds", element.place)
    key = builder.attribute(element, "counter-key", "string")
    return lambda context: check(context, f"quota-key/{key(context)}")


class _Quota:
    def __init__(self, element: Element, builder: Builder, origin: float) -> None:
        self._calls = builder.number(element, "calls") if "calls" in element.attributes else None
        self._kilobytes = builder.number(element, "bandwidth") if "bandwidth" in element.attributes else None
        if self._calls is None and self._kilobytes is None:
            raise ArtifactError("a quota has calls, bandwidth or both", element.place)
        self.period = builder.number(element, "renewal-period")
        self._condition = builder.optional(element, "increment-condition", "bool")
        self._amount = builder.optional(element, "increment-count", "int")
        self._origin, self._services = origin, builder.services

    def __call__(self, context: Context, key: str) -> None:
        quotas, now = self._services.quotas, self._services.clock.time()
        verdict = quotas.check(key, self._calls, self._kilobytes, self.period, self._origin, now)
        if not verdict.allowed:
            volume = "call volume" if self._calls is not None else "bandwidth"
            hours, rest = divmod(verdict.wait, 3600)
            when = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
            message = f"Out of {volume} quota. Quota will be replenished in {when}."
            raise GatewayError(403, Failure("quota", "QuotaExceeded", message), {"Retry-After": str(verdict.wait)})
        if self._condition is None and self._amount is None:
            quotas.add(key, self.period, self._origin, now, calls=1)

        def count(ended: Context) -> None:
            calls = 0 if self._condition is None and self._amount is None else 1
            if self._condition is not None and not self._condition(ended):
                calls = 0
            if calls and self._amount is not None:
                calls = max(0, int(self._amount(ended)))
            size = len(ended.response.body) if ended.response else 0
            quotas.add(key, self.period, self._origin, self._services.clock.time(), calls, size)

        context.afterwards.append(count)


def _check_period(element: Element, period: int) -> None:
    if not 0 < period <= MAX_RATE:
        raise ArtifactError(f"'renewal-period' of a rate limit is 1 to {MAX_RATE} seconds", element.place)
