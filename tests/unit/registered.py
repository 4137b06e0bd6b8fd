"""The functions that the app registers. It can be asked for them once in a process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import function_app


@cache
def triggers(kind: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Name and binding of every function with a trigger of this kind."""
    return tuple((name, binding) for name, binding, _ in _all() if binding["type"] == kind)


def functions(kind: str) -> dict[str, Callable[..., Awaitable[None]]]:
    """By name, what the host calls for a trigger of this kind; without what the Durable client's binding puts in."""
    found = {name: function for name, binding, function in _all() if binding["type"] == kind}
    return {name: getattr(function, "client_function", function) for name, function in found.items()}


@cache
def _all() -> tuple[tuple[str, dict[str, Any], Any], ...]:
    found = []
    for function in function_app.app.get_functions():
        trigger = function.get_trigger()
        assert trigger is not None, function
        binding = dict(trigger.get_dict_repr())
        found.append((str(function.get_function_name()), binding, function.get_user_function()))
    return tuple(found)
