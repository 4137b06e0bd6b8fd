"""What is told about a request: emit-metric, trace, log-to-eventhub."""

from __future__ import annotations

import logging

from localazure.apim.context import Context
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError
from localazure.apim.expressions.values import text as shown
from localazure.apim.policies.base import Builder, Run, policy

log = logging.getLogger("localazure.apim")

MAX_DIMENSIONS = 10
MAX_EVENT = 200 * 1024
"""What of an event is sent: Azure cuts the rest off."""
_KNOWN = {
    "API ID": lambda context: context.api.id if context.api else "",
    "Operation ID": lambda context: context.operation.id if context.operation else "",
    "User ID": lambda context: context.subscription.developer if context.subscription else "",
    "Location": lambda context: "local",
    "Product ID": lambda context: context.product.id if context.product else "",
    "Subscription ID": lambda context: context.subscription.id if context.subscription else "",
    "Gateway ID": lambda context: "local",
    "Backend ID": lambda context: context.backend,
}


@policy("emit-metric")
def emit_metric(element: Element, builder: Builder) -> Run:
    """Add a value to a custom metric."""
    element.allow("name! namespace value default-dimensions", children="dimension")
    if len(element.children) > MAX_DIMENSIONS:
        raise ArtifactError(f"a metric has at most {MAX_DIMENSIONS} dimensions", element.place)
    name, namespace = builder.literal(element, "name"), builder.literal(element, "namespace", "API Management")
    value = builder.attribute(element, "value", "double", "1")
    dimensions = []
    for child in element.children:
        child.allow("name! value")
        label = builder.literal(child, "name")
        if "value" not in child.attributes and label not in _KNOWN:
            raise ArtifactError(f"the dimension {label!r} needs a value; known are {', '.join(_KNOWN)}", child.place)
        dimensions.append(
            (label, builder.attribute(child, "value", "object") if "value" in child.attributes else _KNOWN[label])
        )
    metrics = builder.services.metrics

    def run(context: Context) -> None:
        labels = {label: shown(of(context)) for label, of in dimensions}
        metrics.add(namespace, name, labels, float(value(context)))

    return run


@policy("trace")
def trace(element: Element, builder: Builder) -> Run:
    """A line in the gateway's log."""
    element.allow("source! severity", children="message metadata", text=True)
    source = builder.literal(element, "source")
    level = {"verbose": logging.DEBUG, "information": logging.INFO, "error": logging.ERROR}[
        builder.choice(element, "severity", "verbose information error", "verbose")
    ]
    text = builder.text(element.child("message") or element, "object")
    metadata = [
        (child, builder.attribute(child, "value", "object")) for child in element.children if child.name == "metadata"
    ]

    def run(context: Context) -> None:
        more = " ".join(f"{child.attributes['name']}={value(context)}" for child, value in metadata)
        log.log(level, "%s: %s %s", source, shown(text(context)), more)

    return run


@policy("log-to-eventhub")
def log_to_eventhub(element: Element, builder: Builder) -> Run:
    """A line in the gateway's log, where Azure sends an event to the event hub of the logger."""
    element.allow("logger-id! partition-key partition-id", text=True)
    logger, text = builder.literal(element, "logger-id"), builder.text(element, "object")

    def run(context: Context) -> None:
        log.info("event for the logger %s: %s", logger, shown(text(context))[:MAX_EVENT])

    return run
