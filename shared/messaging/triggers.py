"""How a service is bound to its change feed, its subscriptions and its timers: the same everywhere, so said once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

import azure.functions as func

from shared import recovery
from shared.contracts.audit import ActRecorded
from shared.contracts.event import EventData, type_of
from shared.declaration import Service, Undeclared
from shared.messaging.consumer import Handlers, consume
from shared.messaging.depths import observe
from shared.messaging.parked import parked_operations
from shared.persistence.cosmos import Container
from shared.settings import COSMOS_CONNECTION, RECONCILE_SCHEDULE, RECONCILIATION, SERVICEBUS_CONNECTION
from shared.telemetry.span import request

Decorator = Callable[[Any], Any]

FEED_POLL_MS = 500
"""How long an idle feed rests between two looks. An order passes three feeds one after the other and waits in each for
half of it on average; a look costs about one request unit, so five feeds cost 10 a second (docs/performance.md)."""


ROUNDS: dict[str, str] = {}
"""Timer → the service whose it is, in the order in which they were made. The first of a service that hears
something measures its queues."""


def change_feed(bp: Any, service: Service, container: Container, *others: Container) -> Decorator:
    """Trigger `<service>_feed`: every change of `container`, from the first one on, in batches.

    What cannot be published of it, or of `others`, whose outbox a timer relays, operators see and mend
    (`shared.messaging.parked`), where the service tells who does what.

    The change feed moves on past a batch whose function fails, unless a retry policy says otherwise: this one
    gives the batch again for ever, so that nothing is lost.

    Raises Undeclared for a container that is not declared to have an outbox.
    """
    if not container.outbox:
        raise Undeclared(f"{container.database} does not declare that {container.name} has an outbox")
    if ActRecorded in service.publishes:
        parked_operations(bp, service, (container, *others))
    name = f"{container.database}_feed"
    return _chain(
        bp.function_name(name),
        bp.cosmos_db_trigger(
            arg_name="documents",
            connection=COSMOS_CONNECTION.name,
            database_name=container.database,
            container_name=container.name,
            lease_container_name="leases",
            lease_container_prefix=name,
            start_from_beginning=True,
            feed_poll_delay=FEED_POLL_MS,
            lease_acquire_interval=recovery.FEED_ACQUIRE_SECONDS * 1000,
            lease_renew_interval=recovery.FEED_RENEW_SECONDS * 1000,
            lease_expiration_interval=recovery.FEED_EXPIRATION_SECONDS * 1000,
            max_items_per_invocation=100,
        ),
        bp.retry(
            strategy="exponential_backoff",
            max_retry_count="-1",
            minimum_interval="00:00:01",
            maximum_interval="00:00:30",
        ),
    )


def subscription(bp: Any, service: Service, topic: str, handlers: Handlers) -> None:
    """Trigger `<service>_on_<topic>`: each message of the service's subscription to `topic` goes to its handler.

    Raises Undeclared where the events that are handled are not those that are declared to be heard.
    """

    async def trigger(message: func.ServiceBusMessage) -> None:
        await consume(service.name, message, handlers)

    listening(bp, service, topic, handlers)(trigger)


def listening(bp: Any, service: Service, topic: str, handled: Collection[type[EventData]]) -> Decorator:
    """The trigger of a subscription, for a function that takes its `message`. Raises Undeclared likewise."""
    heard = service.events(topic)
    if unlike := set(handled) ^ set(heard):
        names = ", ".join(sorted(map(type_of, unlike)))
        raise Undeclared(
            f"{service.name} declares to hear {names} of {topic} without a handler, or handles it undeclared"
        )
    return _chain(
        bp.function_name(f"{service.name}_on_{topic}"),
        bp.service_bus_topic_trigger(
            arg_name="message",
            connection=SERVICEBUS_CONNECTION.name,
            topic_name=topic,
            subscription_name=service.name,
        ),
    )


def reconciliation(bp: Any, service: Service) -> Decorator:
    """Trigger `<service>_reconcile`: now and then, to look for what has been waiting too long. Raises Undeclared."""
    service.require(*RECONCILIATION)
    return every_round(bp, service, f"{service.name}_reconcile")


def measuring(bp: Any, service: Service) -> None:
    """Have the queues of a service measured that hears something and has no timer of its own: `<service>_queues`.

    On Azure a timer is billed for a second a minute at least, so a service that has one gets no other.
    """
    name = f"{service.name}_queues"
    if service.hears and _rounds(service) in ([], [name]):
        every_round(bp, service, name)(_measure_alone)


async def _measure_alone(timer: func.TimerRequest) -> None:
    """Measuring is all that there is to do."""


def every_round(bp: Any, service: Service, name: str, *bindings: Decorator) -> Decorator:
    """Trigger `name`, by the schedule of the reconcilers; `bindings`: what the function takes beside its `timer`.

    Each round begins a trace; what it does for an order continues that order's. Before that the service's first timer
    measures the queues.
    """
    ROUNDS[name] = service.name
    return _chain(
        bp.function_name(name),
        bp.timer_trigger(arg_name="timer", schedule=f"%{RECONCILE_SCHEDULE.name}%", run_on_startup=False),
        *bindings,
        _round(service, name, measures=bool(service.hears) and _rounds(service)[0] == name),
    )


def _rounds(service: Service) -> list[str]:
    return [name for name, whose in ROUNDS.items() if whose == service.name]


def _round(service: Service, name: str, *, measures: bool) -> Decorator:
    def decorate(function: Any) -> Any:
        @wraps(function)
        async def trigger(**bound: Any) -> None:
            if measures:
                await observe(service)
            with request(service.name, name, None, source="timer"):
                await function(**bound)

        return trigger

    return decorate


def _chain(*decorators: Decorator) -> Decorator:
    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate
