"""Why a host does not start, or a request is not served.

HostError
├── SettingMissing     a setting or a connection that a function names is not there
├── InvalidApp         host.json, function_app.py or the settings file cannot be read
└── InvalidFunction    a function or one of its bindings is wrong; names the function
    └── Unsupported    right, but not supported here; names the feature
"""

from __future__ import annotations


class HostError(Exception):
    """Base of everything that stops a start."""


class SettingMissing(HostError):
    """A setting that is referred to does not exist."""


class InvalidApp(HostError):
    """The app as a whole cannot be loaded."""


class InvalidFunction(HostError):
    """One function cannot be indexed."""

    def __init__(self, function: str, reason: str) -> None:
        super().__init__(f"function '{function}': {reason}")
        self.reason = reason


class Unsupported(InvalidFunction):
    """A binding or an option that the local host does not have."""
