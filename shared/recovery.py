"""How long what a dead host held stays out of reach, and what therefore waits how long: one set, computed.

A host that dies (SIGKILL, power, eviction) takes with it, until they run out,
- the leases of its change feeds,
- the messages of Service Bus that it had locked,
- the messages of Durable's queues that it had fetched; what is sent to an instance whose start is among them is lost.

Everything else is there at once, and an order passes each of these at most once after one death, so one death costs the
longest of them. Who waits for others waits longer than that before it asks again, and a saga before it gives up longer
still. `tests/unit/test_recovery.py` holds the files that repeat these figures, and the order among them.
"""

from __future__ import annotations

FEED_ACQUIRE_SECONDS = 5
"""How often a host looks for feed leases that have run out; a look reads the lease container (a few request units)."""
FEED_RENEW_SECONDS = 5
"""How often it renews its own: a write each, about 10 request units, so that five feeds cost 10 units a second."""
FEED_EXPIRATION_SECONDS = 15
"""Two renewals may fail before another host takes the lease."""

QUEUE_VISIBILITY_SECONDS = 60
"""Durable's `controlQueueVisibilityTimeout` and `workItemQueueVisibilityTimeout`; the extension's least is a minute."""
QUEUE_POLLING_SECONDS = 1
"""Durable's `maxQueuePollingInterval`: how long a message may lie in an idle queue."""

MESSAGE_LOCK_SECONDS = 60
"""`LockDuration` of every subscription."""

RESTART_SECONDS = 10
"""What a new host takes until it listens."""
PASS_SECONDS = 5
"""What an order takes from one end to the other in a busy shop, with no fault."""

RECOVERY_SECONDS = (
    RESTART_SECONDS
    + max(
        FEED_EXPIRATION_SECONDS + FEED_ACQUIRE_SECONDS,
        QUEUE_VISIBILITY_SECONDS + QUEUE_POLLING_SECONDS,
        MESSAGE_LOCK_SECONDS,
    )
    + PASS_SECONDS
)
"""By then an order that was under way when a host died is decided: 76."""

RECONCILE_AFTER_SECONDS = 90
"""Default of the setting: longer than a recovery, so that it asks only where something is lost for good."""
RECONCILE_EVERY_SECONDS = 60
"""Default of the setting's schedule."""
ORDER_DEADLINE_SECONDS = 180
"""Default of the setting: a recovery, and after it a round of the reconcilers and its answer, still decide an order."""

LATE_START_SECONDS = QUEUE_VISIBILITY_SECONDS / 2
"""A saga that starts so long after its order may have missed events: its start was fetched by a host that died."""
