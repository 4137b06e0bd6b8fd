"""What a dead host costs is one set of figures: the files that repeat them, and the order among them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from blueprints.orders.declaration import SERVICE
from localazure.functions.timer import Schedule
from localazure.functions.timespan import seconds
from scripts import declared
from scripts.infrastructure import app_settings
from shared import recovery
from shared.messaging.triggers import change_feed
from shared.persistence.cosmos import Container

ROOT = Path(__file__).parents[2]
HOST = json.loads((ROOT / "host.json").read_text())
SAMPLE = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
DEFAULTS = {setting.name: setting.default for setting in app_settings.declared(declared.services())}


def _subscriptions() -> list[dict[str, Any]]:
    document = json.loads((ROOT / "infra" / "servicebus.json").read_text())
    topics = document["UserConfig"]["Namespaces"][0]["Topics"]
    return [subscription for topic in topics for subscription in topic["Subscriptions"]]


def _feed_trigger() -> dict[str, Any]:
    """The binding of a change-feed trigger as it is indexed."""
    bp = df.Blueprint()

    @change_feed(bp, replace(SERVICE, publishes=()), Container("orders", "orders", "order_id", outbox=True))
    async def feed(documents: func.DocumentList) -> None: ...

    app = func.FunctionApp()
    app.register_functions(bp)
    (function,) = app.get_functions()
    trigger = function.get_trigger()
    assert trigger is not None
    return dict(trigger.get_dict_repr())


def test_durable_is_configured_as_computed() -> None:
    storage = HOST["extensions"]["durableTask"]["storageProvider"]
    assert seconds(storage["controlQueueVisibilityTimeout"]) == recovery.QUEUE_VISIBILITY_SECONDS
    assert seconds(storage["workItemQueueVisibilityTimeout"]) == recovery.QUEUE_VISIBILITY_SECONDS
    assert seconds(storage["maxQueuePollingInterval"]) == recovery.QUEUE_POLLING_SECONDS


def test_every_subscription_is_configured_as_computed() -> None:
    locks = {subscription["Properties"]["LockDuration"] for subscription in _subscriptions()}
    assert locks == {f"PT{timedelta(seconds=recovery.MESSAGE_LOCK_SECONDS) // timedelta(minutes=1)}M"}


def test_every_feed_is_configured_as_computed() -> None:
    trigger = _feed_trigger()
    assert trigger["leaseAcquireInterval"] == recovery.FEED_ACQUIRE_SECONDS * 1000
    assert trigger["leaseRenewInterval"] == recovery.FEED_RENEW_SECONDS * 1000
    assert trigger["leaseExpirationInterval"] == recovery.FEED_EXPIRATION_SECONDS * 1000


@pytest.mark.parametrize("values", [DEFAULTS, SAMPLE], ids=["defaults", "sample"])
def test_the_settings_are_as_computed(values: dict[str, str]) -> None:
    assert float(values["ORDER_DEADLINE_SECONDS"]) == recovery.ORDER_DEADLINE_SECONDS
    assert float(values["RECONCILE_AFTER_SECONDS"]) == recovery.RECONCILE_AFTER_SECONDS
    schedule, runs = Schedule("orders_reconcile", values["RECONCILE_SCHEDULE"]), [0.0]
    for _ in range(5):
        runs.append(schedule.after(runs[-1]))
    assert {later - earlier for earlier, later in pairwise(runs)} == {recovery.RECONCILE_EVERY_SECONDS}


def test_a_lease_outlives_two_failed_renewals() -> None:
    assert recovery.FEED_RENEW_SECONDS * 3 <= recovery.FEED_EXPIRATION_SECONDS


def test_durables_time_outs_are_such_as_the_extension_takes() -> None:
    assert 60 <= recovery.QUEUE_VISIBILITY_SECONDS <= 3600


def test_after_a_death_the_last_order_is_decided_within_ninety_seconds() -> None:
    longest = max(
        recovery.FEED_EXPIRATION_SECONDS + recovery.FEED_ACQUIRE_SECONDS,
        recovery.QUEUE_VISIBILITY_SECONDS + recovery.QUEUE_POLLING_SECONDS,
        recovery.MESSAGE_LOCK_SECONDS,
    )
    assert recovery.RESTART_SECONDS + longest + recovery.PASS_SECONDS <= recovery.RECOVERY_SECONDS
    assert recovery.RECOVERY_SECONDS <= 90


def test_who_waits_asks_again_after_a_recovery_and_before_the_order_is_given_up() -> None:
    assert recovery.RECOVERY_SECONDS < recovery.RECONCILE_AFTER_SECONDS
    asked = recovery.RECONCILE_AFTER_SECONDS + recovery.RECONCILE_EVERY_SECONDS
    assert asked + recovery.PASS_SECONDS < recovery.ORDER_DEADLINE_SECONDS


def test_a_saga_whose_start_a_dead_host_had_fetched_counts_as_late_and_one_in_a_busy_shop_does_not() -> None:
    assert recovery.PASS_SECONDS < recovery.LATE_START_SECONDS < recovery.QUEUE_VISIBILITY_SECONDS
