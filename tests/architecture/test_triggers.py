"""What comes out of a trigger is not what went in: feed documents and message metadata are read in one place each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRIGGERS = sorted((ROOT / "blueprints").glob("*/triggers.py"))
DEPLOYED = [*sorted((ROOT / "blueprints").rglob("*.py")), *sorted((ROOT / "shared").rglob("*.py"))]
CONSUMER = ROOT / "shared" / "messaging" / "consumer.py"
ALLOWED = {"get_body", "message_id"} | {"application_properties", "delivery_count", "enqueued_time_utc"}
"""What the consumer reads: the body, the id where the body cannot have set it, and what it only reports."""


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef, annotation: str) -> set[str]:
    return {
        argument.arg
        for argument in function.args.args
        if argument.annotation is not None and annotation in ast.unparse(argument.annotation)
    }


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def bare_documents(tree: ast.AST) -> list[str]:
    """Uses of a feed's documents other than as the argument of `as_written`."""
    found = []
    for function in functions(tree):
        names = parameters(function, "DocumentList")
        passed = {
            id(argument)
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "as_written"
            for argument in node.args
        }
        found += [
            f"{function.name}: {node.id}"
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and node.id in names and id(node) not in passed
        ]
    return found


def metadata(tree: ast.AST) -> set[str]:
    """Members of a Service Bus message that are read."""
    return {
        node.attr
        for function in functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in parameters(function, "ServiceBusMessage")
    }


@pytest.mark.parametrize("path", TRIGGERS, ids=ids)
def test_a_feeds_documents_get_their_times_back_before_anything_reads_them(path: Path) -> None:
    assert bare_documents(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", DEPLOYED, ids=ids)
def test_nothing_is_read_of_a_message_that_its_body_can_set(path: Path) -> None:
    allowed = ALLOWED if path == CONSUMER else set()
    assert metadata(ast.parse(path.read_text(encoding="utf-8"))) <= allowed


def test_the_guards_see_what_they_forbid() -> None:
    feed = "async def feed(documents: func.DocumentList):\n    for document in documents: relay(as_written(documents))"
    message = "async def on(message: func.ServiceBusMessage):\n    log(message.label, message.delivery_count)"
    assert bare_documents(ast.parse(feed)) == ["feed: documents"]
    assert metadata(ast.parse(message)) == {"label", "delivery_count"}
