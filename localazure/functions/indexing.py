"""Finding an app's functions as the Python worker does, and refusing what it would refuse, by name.

Source: the worker's `functions.py` and `loader.py` (azure-functions-python-worker).
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

from localazure.functions.annotations import RETURN, Signature, signature_of
from localazure.functions.bindings.declared import check_declared
from localazure.functions.errors import HostError, InvalidApp, InvalidFunction, Unsupported
from localazure.functions.settings import resolve

log = logging.getLogger("localazure.functions")

TRIGGERS = frozenset(
    {
        "httpTrigger",
        "serviceBusTrigger",
        "cosmosDBTrigger",
        "timerTrigger",
        "orchestrationTrigger",
        "activityTrigger",
        "entityTrigger",
    }
)
RETRIED = frozenset({"cosmosDBTrigger", "timerTrigger"})
"""Triggers that Azure documents retry policies for."""
RETRIED_YET = frozenset({"httpTrigger", "serviceBusTrigger"})
"""Triggers on which it heeds them all the same, with a warning."""
_NAME = re.compile(r"[a-z][a-z0-9_\-]{0,127}", re.IGNORECASE | re.ASCII)
_BINDING_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]{0,127}|\$return")
_SCRIPT = re.compile(r"[A-Za-z0-9_]+\.py")
DATA = frozenset({"cosmosDB", "serviceBus"})
"""What the host reads before a call, and writes after it."""
INPUTS = frozenset({"durableClient", "cosmosDB"})
OUTPUTS = frozenset({"http"}) | DATA


@dataclass(frozen=True)
class Binding:
    """One binding of a function: its wire name, the parameter it fills, and what function.json would say of it."""

    type: str
    name: str
    out: bool
    options: dict[str, Any]

    def text(self, name: str, default: str = "") -> str:
        """An option, its `%SETTING%` expressions resolved. Raises SettingMissing."""
        return resolve(str(self.options.get(name, default)))


@dataclass(frozen=True)
class Function:
    """One indexed function."""

    name: str
    call: Callable[..., Any]
    trigger: Binding
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]
    signature: Signature
    is_async: bool
    directory: Path
    retry: dict[str, str] | None
    disabled: bool = False

    @cached_property
    def data_bindings(self) -> tuple[Binding, ...]:
        """What the host reads before the call, and writes after it."""
        return tuple(binding for binding in (*self.inputs, *self.outputs) if binding.type in DATA)

    @cached_property
    def http_output(self) -> str:
        """The name of the output that answers HTTP, where that is not the return value."""
        names = [binding.name for binding in self.outputs if binding.type == "http" and binding.name != RETURN]
        return names[0] if names else ""

    def flag(self, option: str, default: bool = False) -> bool:
        """A yes or no of the trigger, which may be written as text. Raises InvalidFunction, and SettingMissing."""
        value = self.trigger.options.get(option)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        text = resolve(str(value)).strip().lower()
        if text not in ("true", "false"):
            raise InvalidFunction(self.name, f"{option} must be true or false, not {value!r}")
        return text == "true"

    def number(self, option: str, default: int) -> int:
        """A whole number of the trigger, which may be written as text; 0 is the default. Raises as `flag` does."""
        value = self.trigger.options.get(option)
        if value is None:
            return default
        try:
            number = int(resolve(str(value)))
        except ValueError:
            raise InvalidFunction(self.name, f"{option} must be a whole number, not {value!r}") from None
        if number < 0:
            raise InvalidFunction(self.name, f"'{option}' must be greater than 0.")
        return number or default


def load(app: Path) -> list[Function]:
    """Import the app's function_app.py and index its functions. Raises InvalidApp or InvalidFunction."""
    module = _import(app)
    _check_streams()
    apps = [
        value for value in vars(module).values() if isinstance(value, func.decorators.function_app.FunctionRegister)
    ]
    if len(apps) != 1:
        raise InvalidApp(f"{app / script_name()} must have exactly one FunctionApp at its top level, not {len(apps)}")
    try:
        found = apps[0].get_functions()
    except Exception as exc:  # whatever the decorators object to
        raise InvalidApp(f"the functions of {app} cannot be indexed: {exc}") from exc
    functions: dict[str, Function] = {}
    for item in found:
        function = _index(item)
        if function.name.lower() in functions:
            raise InvalidFunction(function.name, "another function has the same name")
        functions[function.name.lower()] = function
    return list(functions.values())


def _check_streams() -> None:
    """Raises InvalidApp where the app has imported an extension of HTTP streams: the worker would serve HTTP itself."""
    base = sys.modules.get("azurefunctions.extensions.base")
    if base is not None and base.HttpV2FeatureChecker.http_v2_enabled():
        raise InvalidApp("HTTP streams (azurefunctions-extensions-http-*) are not supported by the local host")


def script_name() -> str:
    """PYTHON_SCRIPT_FILE_NAME: which file is the app. Raises InvalidApp."""
    name = os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    if not _SCRIPT.fullmatch(name):
        raise InvalidApp(f"PYTHON_SCRIPT_FILE_NAME must name a Python file in the app's directory, not {name!r}")
    return name


def _import(app: Path) -> ModuleType:
    path = app / script_name()
    if not path.exists():
        raise InvalidApp(f"{path} does not exist")
    if str(app) not in sys.path:
        sys.path.insert(0, str(app))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a file that exists has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as exc:
        raise InvalidApp(f"{path} cannot be imported: {type(exc).__name__}: {exc}, at {_place(exc, app)}") from exc
    return module


def _place(exc: Exception, app: Path) -> str:
    """The innermost line of the app's own that led to it, as `path:line`, whole, which editors open."""
    if isinstance(exc, SyntaxError) and exc.filename:
        return f"{exc.filename}:{exc.lineno}"
    frames = [(Path(frame.filename).resolve(), frame.lineno) for frame in traceback.extract_tb(exc.__traceback__)]
    own = [
        frame for frame in frames if frame[0].is_relative_to(app.resolve()) and "site-packages" not in frame[0].parts
    ]
    file, line = own[-1] if own else (app / script_name(), 1)
    return f"{file}:{line}"


def _index(item: Any) -> Function:
    name = str(item.get_function_name())
    bindings = [_binding(json.loads(raw)) for raw in item.get_raw_bindings()]
    _check_names(name, bindings)
    triggers = [binding for binding in bindings if binding.type.lower().endswith("trigger")]
    if len(triggers) != 1:
        raise InvalidFunction(name, f"it must have exactly one trigger, not {len(triggers)}")
    for binding in bindings:
        _check_kind(name, binding)
        if binding.type in DATA:
            check_declared(name, binding.type, binding.name, binding.options)
    call = item.get_user_function()
    function = Function(
        name=name,
        call=call,
        trigger=triggers[0],
        inputs=tuple(binding for binding in bindings if not binding.out and binding is not triggers[0]),
        outputs=tuple(binding for binding in bindings if binding.out),
        signature=signature_of(name, call, bindings),
        is_async=inspect.iscoroutinefunction(call),
        directory=_directory(name, call),
        retry=item.get_settings_dict("retry_policy") or None,
        disabled=_disabled(name),
    )
    _check_retry(function)
    return function


def _check_names(function: str, bindings: list[Binding]) -> None:
    """The names that the host takes: `host` is a file of its own in the list of keys."""
    if not _NAME.fullmatch(function) or function.lower() == "host":
        raise InvalidFunction(function, f"'{function}' is not a valid function name.")
    seen: set[str] = set()
    for binding in bindings:
        if not _BINDING_NAME.fullmatch(binding.name):
            raise InvalidFunction(
                function, f"The binding name {binding.name} is invalid. Please assign a valid name to the binding."
            )
        if binding.name.lower() in seen:
            raise InvalidFunction(
                function, f"Multiple bindings with name '{binding.name}' discovered. Binding names must be unique."
            )
        seen.add(binding.name.lower())


def _disabled(function: str) -> bool:
    """By the setting AzureWebJobs.NAME.Disabled; names of settings have no letter case."""
    setting = f"azurewebjobs.{function}.disabled".lower()
    return any(value.lower() in ("1", "true") for name, value in os.environ.items() if name.lower() == setting)


def _check_retry(function: Function) -> None:
    if function.retry is None or function.trigger.type in RETRIED:
        return
    if function.trigger.type not in RETRIED_YET:
        raise Unsupported(function.name, f"a retry policy on its {function.trigger.type}; Durable has its own")
    log.warning("Soon retries will not be supported for function '%s'.", function.name)


def _binding(document: dict[str, Any]) -> Binding:
    return Binding(document["type"], document["name"], str(document["direction"]).upper() == "OUT", document)


def _check_kind(name: str, binding: Binding) -> None:
    if str(binding.options["direction"]).upper() == "INOUT":
        raise InvalidFunction(name, f"'{binding.name}' is an input and an output at once, which Python has not")
    if binding.name == RETURN and not binding.out:
        raise InvalidFunction(name, f"{RETURN} is an output, and is bound as an input")
    known = OUTPUTS if binding.out else TRIGGERS | INPUTS
    if binding.type not in known:
        raise Unsupported(
            name, f"the binding type {binding.type} ('{binding.name}') is not supported by the local host"
        )


def _directory(name: str, call: Callable[..., Any]) -> Path:
    try:
        return Path(inspect.getfile(call)).parent
    except TypeError as exc:
        raise InvalidFunction(name, f"it has no source file: {exc}") from exc


def connection_settings(function: Function) -> list[str]:
    """The settings that hold the connections the function needs."""
    return [
        binding.options["connection"]
        for binding in (function.trigger, *function.inputs, *function.outputs)
        if binding.options.get("connection")
    ]


def check_settings(function: Function, connection: Callable[[str], object]) -> None:
    """Raises InvalidFunction for a connection or a `%SETTING%` that does not exist."""
    try:
        for setting in connection_settings(function):
            connection(setting)
        for binding in (function.trigger, *function.inputs, *function.outputs):
            for value in binding.options.values():
                if isinstance(value, str):
                    resolve(value)
    except HostError as exc:
        raise InvalidFunction(function.name, str(exc)) from exc
