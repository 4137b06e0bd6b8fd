"""What runs on one machine stands in for Azure: it knows no service of the app, nor what one says or serves."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blueprints import SERVICES
from scripts import declared
from shared.contracts.event import declared_events
from shared.web.endpoint import VERSION
from tests.architecture.test_imports import LOCAL, ROOT, ids

OTHERS = {"accounts", "operations", "shipping"}
"""Words that Entra, API Management and Stripe have for something of their own."""
WHOLE = set(SERVICES) - OTHERS
PARTS = {
    *(scope.name for service in declared.services() for scope in service.scopes),
    *declared_events(),
    *(name for operation in declared.operations() for name in (operation.id, operation.gateway_id)),
    *(f"/{VERSION}{operation.path.partition('{')[0]}" for operation in declared.operations()),
}


def texts(source: str) -> Iterator[str]:
    """The strings of a module that are not its documentation."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def values(document: Any) -> Iterator[str]:
    """Every text of a JSON document, names of members too."""
    if isinstance(document, dict):
        yield from document
        document = list(document.values())
    if isinstance(document, list):
        for value in document:
            yield from values(value)
    if isinstance(document, str):
        yield document


def knows(text: str) -> bool:
    return text in WHOLE or any(part in text for part in PARTS)


@pytest.mark.parametrize("path", LOCAL, ids=ids)
def test_no_module_names_a_service(path: Path) -> None:
    assert [text for text in texts(path.read_text(encoding="utf-8")) if knows(text)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "localazure").rglob("*.json")), ids=ids)
def test_no_data_names_a_service(path: Path) -> None:
    assert [text for text in values(json.loads(path.read_text(encoding="utf-8"))) if knows(text)] == []


@pytest.mark.parametrize("text", ["payments", "orders.read", "http://x/v1/payments/webhooks/stripe", "carts-get"])
def test_the_guard_sees_what_is_the_apps(text: str) -> None:
    documented = f"def f():\n    'orders'\n    return {text!r}"
    assert list(texts(documented)) == [text]
    assert knows(text)
