"""Orchestrators are replayed: they touch no clock, no chance, no environment and no I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN_NAMES = {
    "open", "print", "input", "random", "secrets", "uuid", "os", "time", "asyncio", "settings", "utc_now", "timestamp",
}  # fmt: skip
FORBIDDEN_CALLS = {"now", "utcnow", "today", "sleep", "uuid1", "uuid4", "environ", "getenv"}


def orchestrators() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every generator function that takes a durable orchestration context."""
    for path in sorted((ROOT / "blueprints").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                argument.annotation is not None and "DurableOrchestrationContext" in ast.unparse(argument.annotation)
                for argument in node.args.args
            ):
                yield f"{path.relative_to(ROOT)}:{node.name}", node


FOUND = dict(orchestrators())


def impurities(function: ast.FunctionDef) -> list[str]:
    found = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and node.id in FORBIDDEN_NAMES]
    found += [
        node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_CALLS
    ]
    found += ["await" for node in ast.walk(function) if isinstance(node, ast.Await)]
    found += ["import" for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
    return found


def test_the_saga_is_among_the_orchestrators() -> None:
    assert "blueprints/orders/saga.py:order_saga" in FOUND


@pytest.mark.parametrize("name", FOUND)
def test_an_orchestrator_is_pure(name: str) -> None:
    assert impurities(FOUND[name]) == []


@pytest.mark.parametrize(
    "body", ["datetime.now()", "random.random()", "await thing", "os.environ['A']", "uuid.uuid4()", "open('f')"]
)
def test_the_guard_sees_an_impurity(body: str) -> None:
    tree = ast.parse(f"async def f(context: df.DurableOrchestrationContext):\n    {body}")
    function = ast.FunctionDef("f", ast.arguments([], [], None, [], [], None, []), tree.body[0].body, [])  # type: ignore[attr-defined]  # a parsed function
    assert impurities(function)


DEPLOYED = [
    ROOT / "function_app.py",
    *sorted((ROOT / "blueprints").rglob("*.py")),
    *sorted((ROOT / "shared").rglob("*.py")),
]
EVENT_CALLS = {"raise_event", "wait_for_external_event", "create_timer"}


def event_calls(tree: ast.AST) -> list[str]:
    """Calls that send an event, or wait for one or for a time, past the functions that know the traps."""
    return [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in EVENT_CALLS]


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: str(path.relative_to(ROOT)))
def test_events_and_timers_of_orchestrators_go_through_one_place(path: Path) -> None:
    expected = EVENT_CALLS if path == ROOT / "shared" / "orchestration.py" else set()
    assert set(event_calls(ast.parse(path.read_text(encoding="utf-8")))) == expected


@pytest.mark.parametrize(
    "body",
    [
        "await client.raise_event(a, b, c)",
        "yield context.wait_for_external_event('x')",
        "yield context.create_timer(at)",
    ],
)
def test_the_guard_sees_a_call_past_them(body: str) -> None:
    assert event_calls(ast.parse(f"async def f(client, context):\n    {body}"))
