"""`make bench-peers`: the same saga on other engines, the same operations on another Cosmos DB server."""

from __future__ import annotations

import sys

from scripts.bench.options import Section, run
from scripts.bench.peers.cosmos import cosmos
from scripts.bench.peers.sagas import sagas

DESCRIPTION = """Measure localazure and its peers on this machine; one JSON object on stdout, progress on stderr.
Installs DBOS and durabletask into .venv-bench and @vercel/cosmosdb-server into a temporary folder. A peer that
cannot be installed or run is reported with the reason."""

SECTIONS: dict[str, Section] = {"sagas": sagas, "cosmos": cosmos}

if __name__ == "__main__":
    sys.exit(run(DESCRIPTION, SECTIONS, sys.argv[1:]))
