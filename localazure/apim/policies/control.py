"""Flow: choose, set-variable, return-response, retry. Source: "API Management policy reference", policy control."""

from __future__ import annotations

import random
from collections.abc import Awaitable

from localazure.apim.context import Context, Response
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError
from localazure.apim.policies.base import Builder, ReturnResponse, Run, policy, run_steps
from localazure.apim.policies.transform import body_of, header_of, status_of


@policy("choose")
def choose(element: Element, builder: Builder) -> Run:
    """The first `when` whose condition holds, else `otherwise`."""
    element.allow(children="when! otherwise")
    branches = []
    for number, when in enumerate((child for child in element.children if child.name == "when"), 1):
        if set(when.attributes) != {"condition"} or when.text:
            raise ArtifactError("<when> has the attribute 'condition' and holds policies", when.place)
        condition = builder.attribute(when, "condition", "bool")
        branches.append((condition, builder.inside(f"when[{number}]").steps(when.children)))
    otherwise = element.child("otherwise")
    if otherwise is not None and otherwise is not element.children[-1]:
        raise ArtifactError("<otherwise> comes last", otherwise.place)
    last = builder.inside("otherwise[1]").steps(otherwise.children) if otherwise else ()

    def run(context: Context) -> Awaitable[None] | None:
        for condition, steps in branches:
            if condition(context):
                return run_steps(steps, context) if steps else None
        return run_steps(last, context) if last else None

    return run


@policy("set-variable")
def set_variable(element: Element, builder: Builder) -> Run:
    """A value that lives as long as the request."""
    element.allow("name! value!")
    name, value = builder.literal(element, "name"), builder.attribute(element, "value", "object")

    def run(context: Context) -> None:
        context.variables[name] = value(context)

    return run


@policy("return-response")
def return_response(element: Element, builder: Builder) -> Run:
    """End the pipeline and answer. Nothing of outbound or on-error runs after it."""
    element.allow("response-variable-name", children="set-status set-header set-body")
    name = element.attributes.get("response-variable-name")
    changes = []
    for child in element.children:
        make = {"set-status": status_of, "set-header": header_of, "set-body": body_of}[child.name]
        changes.append(make(child, builder))

    def run(context: Context) -> None:
        # Expressions inside still see the response as it was.
        answer = _held(context, name) if name else Response(200)
        for change in changes:
            change(context, answer)
        context.response = answer
        raise ReturnResponse

    return run


def _held(context: Context, name: str) -> Response:
    """The answer that a send-request put into a variable."""
    found = context.variables.get(name)
    if not isinstance(found, Response):
        message = f"The variable {name} holds no response."
        raise context.fail(500, "return-response", "ResponseVariableNotFound", message)
    return found.copy()


@policy("retry")
def retry(element: Element, builder: Builder) -> Run:
    """Run the policies inside, and again while the condition holds. Intervals in seconds."""
    element.allow(
        "condition! count! interval! max-interval delta first-fast-retry",
        children=" ".join({child.name for child in element.children}),
    )
    condition = builder.attribute(element, "condition", "bool")
    count = builder.attribute(element, "count", "int")
    interval = builder.attribute(element, "interval", "double")
    largest = builder.optional(element, "max-interval", "double")
    delta = builder.optional(element, "delta", "double")
    fast = builder.attribute(element, "first-fast-retry", "bool", "false")
    steps = builder.steps(element.children)

    async def run(context: Context) -> None:
        await run_steps(steps, context)
        for attempt in range(1, count(context) + 1):
            if not condition(context):
                return
            if attempt > 1 or not fast(context):
                await builder.services.clock.sleep(_wait(context, attempt))
            await run_steps(steps, context)

    def _wait(context: Context, attempt: int) -> float:
        base = float(interval(context))
        if delta is None:
            return base
        step = float(delta(context))
        if largest is None:
            return base + (attempt - 1) * step
        # Source: retry policy, "Retry wait times"; the first wait is the interval itself
        grown = base + (2 ** (attempt - 1) - 1) * random.uniform(step * 0.8, step * 1.2)  # noqa: S311 - jitter
        return float(min(grown, largest(context)))

    return run
