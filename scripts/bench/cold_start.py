"""Cold start: what a fresh process pays for this app, against what it pays for its SDKs alone."""

from __future__ import annotations

import json
import statistics
import sys
from typing import Any

from scripts.bench.children import output
from scripts.bench.figures import ratio
from scripts.bench.options import Options

PROCESSES = 9
"""Fresh processes of each kind, after one that fills the caches of byte code and of the disk."""

INDEX = """
import time
began = time.perf_counter()
import function_app
function_app.app.get_functions()
print((time.perf_counter() - began) * 1000)
"""

BARE = """
import time
began = time.perf_counter()
{imports}
print((time.perf_counter() - began) * 1000)
"""

TRACE = """
import builtins, json, os, sys
own, found, original = os.getcwd() + os.sep, {}, builtins.__import__

def traced(name, globals=None, locals=None, fromlist=(), level=0):
    module = original(name, globals, locals, fromlist, level)
    file = str((globals or {}).get("__file__") or "")
    if level == 0 and file.startswith(own) and not file.startswith(sys.prefix + os.sep):
        for candidate in (name, *(f"{name}.{item}" for item in fromlist or ())):
            source = getattr(sys.modules.get(candidate), "__file__", None) or ""
            if "site-packages" in source:
                found[candidate] = None
    return module

builtins.__import__ = traced
import function_app
function_app.app.get_functions()
print(json.dumps(list(found)))
"""
"""Prints the modules outside the standard library that the app's own files import while they are indexed."""


async def cold_start(_: Options) -> dict[str, Any]:
    """Medians in milliseconds, the interpreter's own start left out of both; the two take turns."""
    sdks = json.loads(await fresh(TRACE))
    bare = BARE.format(imports="\n".join(f"import {name}" for name in sdks))
    await fresh(INDEX)
    await fresh(bare)
    indexing, importing = [], []
    for _process in range(PROCESSES):
        indexing.append(float(await fresh(INDEX)))
        importing.append(float(await fresh(bare)))
    index, sdk = statistics.median(indexing), statistics.median(importing)
    return {
        "index_ms": round(index, 1),
        "sdk_import_ms": round(sdk, 1),
        "ratio": ratio(index, sdk),
        "processes": PROCESSES,
        "sdks": sdks,
    }


async def fresh(code: str) -> str:
    """What `code` prints in a process of its own, started in the app's directory. Raises MeasurementFailed."""
    return await output([sys.executable, "-c", code], {"SERVICES": "*"})
