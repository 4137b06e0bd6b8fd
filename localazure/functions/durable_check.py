"""What can be told of an app's durable functions before any of them runs."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from localazure.durable.core import FunctionKind
from localazure.functions.durable import DurableFunctions
from localazure.functions.errors import InvalidApp

_PACKAGE = "azure-functions-durable"
_CALLS: dict[str, FunctionKind] = {
    "call_activity": "activity",
    "call_activity_with_retry": "activity",
    "call_sub_orchestrator": "orchestrator",
    "call_sub_orchestrator_with_retry": "orchestrator",
}


def check_package() -> None:
    """Raises InvalidApp for a package that talks to the extension in another way."""
    try:
        version = importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return
    if int(version.partition(".")[0]) >= 2:
        raise InvalidApp(
            f"{_PACKAGE} {version} calls the Durable extension over gRPC, which the local task hub does not speak: "
            f"{_PACKAGE} 1.7 is supported"
        )


def misspelt(functions: DurableFunctions) -> list[str]:
    """The calls that name a function which the app does not have.

    On Azure such a call leaves its instance Running for ever, and here as well: the app starts all the same.
    """
    return [
        f"orchestrator '{orchestrator}' calls the {kind} '{name}', which the app does not have: it would wait for ever"
        for orchestrator, call in functions.orchestrators()
        for kind, name in _named(call)
        if name.lower() not in functions.names(kind)
    ]


def _named(call: Any) -> Iterator[tuple[FunctionKind, str]]:
    """The functions that the text of an orchestrator names."""
    try:
        source = textwrap.dedent(inspect.getsource(getattr(call, "orchestrator_function", call)))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError):  # it has no text, or none that stands alone
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS:
            given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "name")]
            for value in given[:1]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield _CALLS[node.func.attr], value.value
