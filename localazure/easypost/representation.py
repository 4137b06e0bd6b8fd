"""The objects as the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localazure.easypost.errors import ApiError
from localazure.easypost.model import FINAL, Detail, Event, Tracker


def moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tracker(tracker: Tracker) -> dict[str, Any]:
    return {
        "id": tracker.id,
        "object": "Tracker",
        "mode": "test",
        "tracking_code": tracker.tracking_code,
        "status": tracker.status,
        "status_detail": "unknown",
        "created_at": moment(tracker.created),
        "updated_at": moment(tracker.updated),
        "signed_by": None,
        "weight": None,
        "est_delivery_date": None,
        "shipment_id": None,
        "carrier": tracker.carrier,
        "tracking_details": [_detail(detail) for detail in tracker.details],
        "carrier_detail": None,
        "finalized": tracker.status in FINAL,
        "is_return": False,
        "public_url": None,
        "fees": [],
    }


def _detail(detail: Detail) -> dict[str, Any]:
    return {
        "object": "TrackingDetail",
        "message": detail.message,
        "description": None,
        "status": detail.status,
        "status_detail": None,
        "datetime": moment(detail.at),
        "source": "EasyPost",
        "carrier_code": None,
        "tracking_location": {
            "object": "TrackingLocation",
            "city": None,
            "state": None,
            "country": None,
            "zip": None,
        },
    }


def event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "object": "Event",
        "mode": "test",
        "created_at": moment(event.created),
        "updated_at": moment(event.created),
        "description": event.description,
        "previous_attributes": {} if event.previous is None else {"status": event.previous},
        "pending_urls": [],
        "completed_urls": [],
        "status": "pending",
        "user_id": "user_local",
        "result": event.result,
    }


def error(exc: ApiError) -> dict[str, Any]:
    errors = [] if exc.field is None else [{"field": exc.field, "message": exc.message}]
    return {"error": {"code": exc.code, "message": exc.message, "errors": errors}}
