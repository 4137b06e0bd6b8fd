"""Where the money is, read from the objects themselves: what tests check, whatever the API has answered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from localazure.stripe.model import Charge, Intent
from localazure.stripe.store import Store


def ledger(store: Store, calls: Mapping[str, int]) -> dict[str, Any]:
    """Every PaymentIntent with what it holds, has captured and given back, in minor units; sums by currency."""
    charges: defaultdict[str, list[Charge]] = defaultdict(list)
    for charge in store.all(Charge):
        charges[charge.payment_intent].append(charge)
    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    intents = []
    for intent in store.all(Intent):
        own = charges[intent.id]
        amounts = {
            "held": intent.amount_capturable,
            "captured": sum(charge.amount_captured for charge in own),
            "refunded": sum(charge.amount_refunded for charge in own),
        }
        totals[intent.currency].update(amounts)
        intents.append(
            {
                "id": intent.id,
                "status": intent.status,
                "amount": intent.amount,
                "currency": intent.currency,
                **amounts,
                "charges": len(own),
                "authorizations": sum(not charge.declined for charge in own),
                "cancellation_reason": intent.cancellation_reason,
                "metadata": intent.metadata,
                "created": intent.created,
            }
        )
    return {"intents": intents, "totals": totals, "calls": dict(calls)}
