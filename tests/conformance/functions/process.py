"""What importing an app and reading its settings changes in a test's process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def restored() -> Iterator[None]:
    """The import path, the app's modules and the environment, changed back at the end."""
    path, modules, environment = list(sys.path), set(sys.modules), dict(os.environ)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name == "function_app" or name.startswith("greetings"):
                del sys.modules[name]
        os.environ.clear()
        os.environ.update(environment)
