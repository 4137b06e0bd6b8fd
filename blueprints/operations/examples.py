"""A good body and a good answer of each operation, for the API's document and for tests."""

from __future__ import annotations

import json
from typing import Any

_AT = "2026-11-02T09:00:00.000Z"
_LETTER = {
    "id": "orders.payments.7",
    "topic": "orders",
    "service": "payments",
    "event_id": "order.placed.v1:ord_7x3kq5n2w4m6r5t3y2u7i4o6p5:1",
    "event_type": "commerce.order.placed.v1",
    "subject": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
    "reason": "MaxDeliveryCountExceeded",
    "problem": "",
    "enqueued_at": _AT,
    "deliveries": 10,
}
_ASIDE = {
    **{name: value for name, value in _LETTER.items() if name not in ("problem", "deliveries")},
    "why": "A test order of the provider.",
    "by": "5a1d8f0e-3c44-4a6b-9a55-0f8f3f1f0a04",
    "at": _AT,
}
_TASK = {
    "id": "tsk_4q2n5xk7d6h3w2m5r7t2y4u6i3",
    "kind": "redrive",
    "status": "running",
    "progress": {"done": 120, "total": 300},
    "created_at": _AT,
    "updated_at": _AT,
}

_HEAD = {"day": "2026-11-02", "number": 1, "hash": "3f" * 32}
_ENTRY = {
    "id": "catalog/act.recorded.v1:85123A:2",
    "source": "catalog",
    "at": _AT,
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "act": {
        "act": "products_put",
        "target": "85123A",
        "subject": "5a1d8f0e-3c44-4a6b-9a55-0f8f3f1f0a03",
        "client": "8f7b2c15-4d3a-4e0b-a1c2-7d5e9f3b6a01",
        "roles": ["staff"],
        "reason": "Christmas prices",
        "before": {"price": {"amount": 255, "currency": "GBP"}},
        "after": {"price": {"amount": 295, "currency": "GBP"}},
    },
}

_SAGA = {
    "id": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
    "service": "orders",
    "kind": "order_saga",
    "about": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
    "status": "placed",
    "waits_for": "an answer about payment",
    "runtime": "failed",
    "changed_at": _AT,
}
_PARKED = {
    "id": "WyJvcmRlcnMiLCJvcmRfN3gza3E1bjJ3NG02cjV0M3kydTdpNG82cDUiLCJvcmRlci5wbGFjZWQudjEiXQ",
    "service": "orders",
    "status": "parked",
    "event_id": _LETTER["event_id"],
    "event_type": _LETTER["event_type"],
    "subject": _LETTER["subject"],
    "reason": "the broker does not take it",
    "changed_at": _AT,
    "why": None,
    "by": None,
}
_PARKED_VIEW = {
    **_PARKED,
    "container": "orders",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "data": {"order_id": _LETTER["subject"], "customer_id": "[redacted]"},
}

BODIES: dict[str, Any] = {
    "operations_audit_verify": {"day": "2026-11-02", "heads": [_HEAD]},
    "operations_dead_letters_set_aside": {"why": "A test order of the provider."},
    "operations_parked_retry": {"why": "The broker takes larger events now."},
    "operations_parked_set_aside": {"why": "Nobody needs it any more."},
    "operations_sagas_end": {"why": "The customer has called: no more waiting."},
    "operations_sagas_resume": {"why": "The database was away; it is back."},
    "operations_redrives_start": {
        "topic": "orders",
        "service": "payments",
        "why": "The provider was away; it is back.",
        "rate": 20,
        "dry_run": True,
        "filter": {"event_type": "commerce.order.placed.v1"},
    },
}
ANSWERS: dict[str, Any] = {
    "operations_queues_list": {
        "items": [
            {
                "topic": "orders",
                "service": "payments",
                "waiting": 3,
                "scheduled": 0,
                "dead_lettered": 300,
                "counted_all": True,
                "oldest_waiting_seconds": 0.4,
                "oldest_dead_letter_seconds": 5400.0,
            }
        ],
        "next_cursor": None,
    },
    "operations_dead_letters_list": {"items": [_LETTER], "next_cursor": None},
    "operations_dead_letters_get": {
        **_LETTER,
        "description": "",
        "bytes": 412,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "redriven_by": "",
        "data": {"order_id": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5", "customer_id": "[redacted]"},
    },
    "operations_dead_letters_set_aside": _ASIDE,
    "operations_set_aside_list": {"items": [_ASIDE], "next_cursor": None},
    "operations_redrives_start": {**_TASK, "status": "pending", "progress": {"done": 0, "total": None}},
    "operations_redrives_messages": {
        "items": [
            {
                "dead_letter_id": _LETTER["id"],
                "event_id": _LETTER["event_id"],
                "event_type": _LETTER["event_type"],
                "subject": _LETTER["subject"],
                "fate": "handled",
            }
        ],
        "next_cursor": None,
    },
    "operations_parked_list": {"items": [_PARKED], "next_cursor": None},
    "operations_parked_get": _PARKED_VIEW,
    "operations_parked_retry": {"event_id": _LETTER["event_id"], "status": "waiting"},
    "operations_parked_set_aside": {
        **_PARKED_VIEW,
        "status": "set-aside",
        "why": "Nobody needs it any more.",
        "by": "5a1d8f0e-3c44-4a6b-9a55-0f8f3f1f0a04",
    },
    "operations_sagas_list": {"items": [_SAGA], "next_cursor": None},
    "operations_sagas_get": _SAGA,
    "operations_sagas_resume": {**_SAGA, "runtime": "pending"},
    "operations_sagas_end": {**_SAGA, "status": "cancelled", "waits_for": "", "runtime": "completed"},
    "operations_audit_heads": {"items": [_HEAD], "next_cursor": None},
    "operations_audit_entries": {
        "items": [
            {
                "number": 1,
                "previous": "a1" * 32,
                "hash": _HEAD["hash"],
                "text": json.dumps(_ENTRY, separators=(",", ":")),
                "entry": _ENTRY,
            }
        ],
        "next_cursor": None,
    },
    "operations_audit_verify": {"day": "2026-11-02", "entries": 1, "head": _HEAD, "findings": []},
    "operations_tasks_list": {"items": [_TASK], "next_cursor": None},
    "operations_tasks_get": _TASK,
    "operations_tasks_cancel": {**_TASK, "status": "cancelling"},
}
