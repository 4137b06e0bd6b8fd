"""The functions that the app registers. It can be asked for them once in a process."""

from __future__ import annotations

from functools import cache
from typing import Any

import function_app


@cache
def triggers(kind: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Name and binding of every function with a trigger of this kind."""
    return tuple((name, binding) for name, binding in _all() if binding["type"] == kind)


@cache
def _all() -> tuple[tuple[str, dict[str, Any]], ...]:
    found = []
    for function in function_app.app.get_functions():
        trigger = function.get_trigger()
        assert trigger is not None, function
        found.append((str(function.get_function_name()), dict(trigger.get_dict_repr())))
    return tuple(found)
