"""`make bench`: everything about this app and `localazure` that has a number."""

from __future__ import annotations

import sys

from scripts.bench.cold_start import cold_start
from scripts.bench.console import console
from scripts.bench.gateway import gateway
from scripts.bench.hostile import hostile
from scripts.bench.options import Section, run
from scripts.bench.orders import orders
from scripts.bench.parts import parts
from scripts.bench.per_order import per_order
from scripts.bench.startup import startup

DESCRIPTION = """Measure the app and localazure on this machine; one JSON object on stdout, progress on stderr.
It starts a system of its own, in a temporary directory and on ports of the operating system's choice, and stops it."""

SECTIONS: dict[str, Section] = {
    "cold_start": cold_start,
    "startup_ms": startup,
    "per_order": per_order,
    "orders": orders,
    "gateway": gateway,
    "hostile": hostile,
    "console": console,
    "localazure": parts,
}

if __name__ == "__main__":
    sys.exit(run(DESCRIPTION, SECTIONS, sys.argv[1:]))
