"""Every part that speaks HTTP, running in this process, with an app of one function and one orchestrator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from localazure import apim, cosmos, easypost, entra, functions, insights, servicebus, stripe
from localazure.functions.wire import Host
from localazure.part import Config, Timeouts
from localazure.servicebus.wire import ServiceBusServer
from localazure.testing import serving

ROOT = Path(__file__).parents[3]
LARGE = 30_000_000
APP = f"""
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello", headers={{"X-Length": str(len(req.get_body()))}})

@app.route(route="large")
def large(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x" * {LARGE})

@app.orchestration_trigger(context_name="context")
def orchestrator(context: df.DurableOrchestrationContext):
    return 1
"""


@contextmanager
def running(folder: Path, timeouts: Timeouts | None = None) -> Iterator[Mapping[str, int]]:
    """Part → port. `durable` is that of the Python client, `servicebus` that of the counters, `bus` the bus's own."""
    (folder / "function_app.py").write_text(APP)
    (folder / "host.json").write_text('{"version": "2.0"}')
    with ExitStack() as started:
        found: dict[str, int] = {}
        for name, part, options in (
            ("functions", functions.PART, {"app": str(folder)}),
            ("stripe", stripe.PART, {}),
            ("easypost", easypost.PART, {}),
            ("cosmos", cosmos.PART, {}),
            ("entra", entra.PART, {"accounts": str(ROOT / "infra" / "entra.json")}),
            ("servicebus", servicebus.PART, {}),
            ("insights", insights.PART, {}),
            ("apim", apim.PART, {}),
        ):
            options = options or (_gateway(found) if name == "apim" else {})
            config = Config(options=options, timeouts=timeouts or Timeouts())
            server = started.enter_context(serving(part, config))
            found[name] = server.port
            if isinstance(server, Host):
                found["durable"] = urlsplit(server.durable_address).port or 0
            if isinstance(server, ServiceBusServer):
                found["bus"], found["servicebus"] = server.port, server.admin_port
        yield found


def _gateway(ports: Mapping[str, int]) -> dict[str, str]:
    """The project's own policies, before the functions host."""
    addresses = {name: f"http://localhost:{ports[name]}" for name in ("entra", "functions")}
    return {
        "artifacts": str(ROOT / "apim"),
        "configuration": str(ROOT / "apim" / "configuration.local.json"),
        "entra": addresses["entra"],
        "addresses": json.dumps(addresses),
    }
