"""A good body and a good answer of each operation, for the API's document and for tests."""

from __future__ import annotations

from typing import Any

_GIVEN = {"name": "A. Shopper", "line1": "1 High Street", "city": "London", "postal_code": "N1 1AA", "country": "GB"}
_ADDRESS = {"id": "adr_5m2q7xk4d3h6w2n5r7t4y2u6i3", **_GIVEN, "line2": None}
_ACCOUNT = {
    "id": "5a1d8f0e-3c44-4a6b-9a55-0f8f3f1f0a01",
    "email": "shopper@durable-commerce.local",
    "name": "Shopper",
    "language": "de",
    "consents": {"marketing": {"given": True, "at": "2026-03-01T12:00:00.000Z"}},
    "created_at": "2026-03-01T11:58:00.000Z",
    "version": 2,
}

_ERASURE: dict[str, Any] = {
    "id": "era_2n5x7k4q3d6h2w5m3r7t4y2u6i",
    "kind": "erasure",
    "status": "cooling_off",
    "progress": {"done": 0, "total": 3},
    "result": None,
    "orders": [],
    "due_at": "2026-03-08T12:00:00.000Z",
    "created_at": "2026-03-01T12:00:00.000Z",
    "updated_at": "2026-03-01T12:00:00.000Z",
}
_CERTIFICATE = {
    "at": "2026-03-08T12:00:01.000Z",
    "services": [
        {
            "service": "orders",
            "erased": ["names and addresses that orders went to"],
            "kept": [{"what": "what was ordered and what it cost", "why": "books are kept for ten years"}],
        }
    ],
    "silent": [],
}

_EXPORT: dict[str, Any] = {
    "id": "exp_6q3x7k5d2h4w6n2m5r7t3y4u2i",
    "kind": "export",
    "status": "gathering",
    "progress": {"done": 1, "total": 5},
    "result": None,
    "created_at": "2026-03-01T12:00:00.000Z",
    "updated_at": "2026-03-01T12:00:00.000Z",
}

BODIES: dict[str, Any] = {
    "me_change": {"language": "de", "consents": {"marketing": True}},
    "addresses_add": _GIVEN,
    "addresses_change": _GIVEN,
    "accounts_find": {"email": "shopper@durable-commerce.local"},
}
ANSWERS: dict[str, Any] = {
    "me_get": _ACCOUNT,
    "me_change": _ACCOUNT,
    "addresses_list": {"items": [_ADDRESS], "next_cursor": None},
    "addresses_add": _ADDRESS,
    "addresses_get": _ADDRESS,
    "addresses_change": _ADDRESS,
    "addresses_remove": {"items": [], "next_cursor": None},
    "accounts_find": {"items": [_ACCOUNT], "next_cursor": None},
    "erasure_request": _ERASURE,
    "erasure_get": {
        **_ERASURE,
        "status": "erased",
        "progress": {"done": 3, "total": 3},
        "result": _CERTIFICATE,
        "updated_at": _CERTIFICATE["at"],
    },
    "export_request": _EXPORT,
    "export_get": {
        **_EXPORT,
        "status": "ready",
        "progress": {"done": 5, "total": 5},
        "result": {
            "content": f"/v1/me/export/{_EXPORT['id']}/content",
            "expires_at": "2026-03-02T12:00:02.000Z",
            "silent": [],
        },
        "updated_at": "2026-03-01T12:00:02.000Z",
    },
    "export_withdraw": {**_EXPORT, "status": "withdrawn", "progress": {"done": 0, "total": 5}},
    "erasure_withdraw": {**_ERASURE, "status": "withdrawn"},
}
