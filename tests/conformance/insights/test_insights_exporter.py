"""The official exporter, unchanged, over a socket: spans, logs, events and metrics, and what it does with a 206."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from localazure.clock import SystemClock
from localazure.insights.wire import DEFAULT_KEY

from .conftest import running

ROOT = Path(__file__).parents[3]
PROGRAM = """
import logging, os
from opencensus.ext.azure.log_exporter import AzureEventHandler, AzureLogHandler
from opencensus.ext.azure.metrics_exporter import MetricsExporter
from opencensus.ext.azure.trace_exporter import AzureExporter
from opencensus.stats import aggregation, measure, stats, view
from opencensus.tags import tag_map
from opencensus.trace.samplers import AlwaysOnSampler
from opencensus.trace.span import SpanKind
from opencensus.trace.tracer import Tracer

options = dict(connection_string=os.environ["WHERE"], enable_local_storage=False)
exporter = AzureExporter(**options)
tracer = Tracer(exporter=exporter, sampler=AlwaysOnSampler())
with tracer.span("place") as server:
    server.span_kind = SpanKind.SERVER
    for name, value in {"http.method": "POST", "http.route": "/orders", "http.status_code": 202}.items():
        server.add_attribute(name, value)
    with tracer.span("read") as client:
        client.span_kind = SpanKind.CLIENT
        client.add_attribute("component", "Azure DocumentDB")
        client.add_attribute("http.url", "http://cosmos/docs")
        client.add_attribute("charge", "2.5")
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
handlers = [AzureLogHandler(**options)]
logger.addHandler(handlers[0])
logger.info("placed", extra={"custom_dimensions": {"order_id": "ord_a"}})
try:
    raise KeyError("lost")
except KeyError:
    logger.exception("failed")
events = logging.getLogger("events")
events.setLevel(logging.INFO)
handlers.append(AzureEventHandler(**options))
events.addHandler(handlers[1])
events.info("opened")
depth = measure.MeasureInt("depth", "messages", "1")
stats.stats.view_manager.register_view(view.View("depth", "", [], depth, aggregation.LastValueAggregation()))
measured = stats.stats.stats_recorder.new_measurement_map()
measured.measure_int_put(depth, 7)
measured.record(tag_map.TagMap())
MetricsExporter(**options).export_metrics(stats.stats.get_metrics())
for handler in handlers:
    handler.flush(10)
"""


async def run(program: str, url: str) -> str:
    """Run it to its end; what it logged."""
    where = f"InstrumentationKey={DEFAULT_KEY};IngestionEndpoint={url}"
    environment = {**os.environ, "WHERE": where, "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, timeout=120, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


async def test_what_the_official_exporter_sends_can_be_asked_for() -> None:
    async with running(clock=SystemClock()) as insights:
        assert await run(PROGRAM, insights.url) == ""
        (request,) = await insights.rows("requests")
        assert (request["name"], request["resultCode"], request["success"]) == ("POST /orders", "202", "True")
        (dependency,) = await insights.rows("dependencies")
        assert (dependency["type"], dependency["target"]) == ("Azure DocumentDB", "cosmos")
        assert dependency["customDimensions"] == '{"component":"Azure DocumentDB","charge":"2.5"}'
        assert dependency["operation_Id"] == request["operation_Id"]
        assert dependency["operation_ParentId"] == request["id"]
        (trace,) = await insights.rows("traces | project message, customDimensions['order_id'], severityLevel")
        assert [*trace.values()] == ["placed", "ord_a", 1]
        (exception,) = await insights.rows("exceptions | project type, method, problemId")
        assert exception == {"type": "KeyError", "method": "<module>", "problemId": "KeyError at <module>"}
        assert await insights.rows("customEvents | project name") == [{"name": "opened"}]
        assert await insights.rows("customMetrics | project name, value") == [{"name": "depth", "value": 7.0}]


async def test_the_official_exporter_tells_a_partial_refusal() -> None:
    async with running(clock=SystemClock()) as insights:
        await insights.fault("partial", status=402, every=2, count=None)
        assert "Data drop 402: a fault was ordered" in await run(PROGRAM, insights.url)
        counts = await insights.counts()
        assert counts["requests"] + counts["dependencies"] == 1
