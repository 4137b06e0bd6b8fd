"""What every policy needs to be compiled: its element, the section and scope it stands in, and the services.

A policy is a function from its element to a `Run`: a function of the context that does its work at once, or
answers an awaitable where it has to wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from localazure.apim import grammar
from localazure.apim.context import Body, Context
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError, ExpressionError, Failure, GatewayError, Place, Unsupported
from localazure.apim.expressions import Expression, compile_text
from localazure.apim.model import Api, Operation

if TYPE_CHECKING:
    from localazure.apim.services import Services

Run = Callable[[Context], Awaitable[None] | None]
SECTIONS = ("inbound", "backend", "outbound", "on-error")
SCOPES = ("global", "product", "api", "operation")


@dataclass(frozen=True)
class Step:
    """One compiled policy. `path` is where it stands in its section, such as `choose[1]/when[2]/set-header[1]`."""

    policy: str
    run: Run
    scope: str
    section: str
    path: str
    policy_id: str


class ReturnResponse(Exception):
    """The pipeline ends; `context.response` is the answer."""


class ResponseFromCache(Exception):
    """Inbound ends and the backend is not asked; outbound goes on after its cache-store."""


@dataclass(frozen=True)
class Builder:
    """Where a policy is being compiled. Immutable; `inside` gives the builder for nested elements."""

    services: Services
    scope: str
    section: str
    api: Api | None = None
    operation: Operation | None = None
    path: str = ""
    in_fragment: bool = False
    origin: Mapping[str, Any] = field(default_factory=dict)
    readers: list[str] = field(default_factory=list)
    """What of the policy that is being compiled looks at the request's body: it is loaded before the policy runs."""

    def inside(self, part: str) -> Builder:
        return replace(self, path=f"{self.path}/{part}" if self.path else part)

    def attribute(self, element: Element, name: str, wanted: str, default: str | None = None) -> Expression:
        """An attribute as expression or literal. Raises ArtifactError where it is missing and has no default."""
        value = element.attributes.get(name, default)
        if value is None:
            raise ArtifactError(f"the attribute {name!r} is required", element.place)
        return self.compiled(value, wanted, element.place, element.place.line)

    def optional(self, element: Element, name: str, wanted: str) -> Expression | None:
        return self.attribute(element, name, wanted) if name in element.attributes else None

    def text(self, element: Element, wanted: str) -> Expression:
        """The text of an element as expression or literal."""
        return self.compiled(element.text, wanted, element.place, element.text_line or element.place.line)

    def literal(self, element: Element, name: str, default: str | None = None) -> str:
        """An attribute in which expressions are not allowed."""
        value = element.attributes.get(name, default)
        if value is None:
            raise ArtifactError(f"the attribute {name!r} is required", element.place)
        if value.startswith("@"):
            raise ArtifactError(f"policy expressions are not allowed in {name!r}", element.place)
        return value

    def number(self, element: Element, name: str, default: str | None = None) -> int:
        """A whole number, not negative, in which expressions are not allowed."""
        value = self.literal(element, name, default)
        if not value.isdecimal():
            raise ArtifactError(f"{name!r} must be a whole number, not {value!r}", element.place)
        return int(value)

    def choice(self, element: Element, name: str, known: str, default: str | None = None) -> str:
        """One of the words in `known`."""
        value = self.literal(element, name, default)
        if value not in known.split():
            raise ArtifactError(f"{name!r} must be one of {known}, not {value!r}", element.place)
        return value

    def named_values(self, element: Element) -> tuple[Expression, str, list[Expression]]:
        """What a policy is to do with values of one name: the name, its exists-action, the values."""
        element.allow("name! exists-action", children="value")
        name = self.attribute(element, "name", "string")
        action = self.choice(element, "exists-action", "override skip append delete", "override")
        values = [self.text(child, "string") for child in element.children]
        if (action == "delete") != (not values):
            message = f"{element.name} has values, except with exists-action delete, where it has none"
            raise ArtifactError(message, element.place)
        return name, action, values

    def flag(self, element: Element, name: str, default: str) -> bool:
        value = self.literal(element, name, default).strip().lower()
        if value not in {"true", "false"}:
            raise ArtifactError(f"{name!r} must be true or false, not {value!r}", element.place)
        return value == "true"

    def compiled(self, source: str, wanted: str, place: Place, line: int) -> Expression:
        try:
            expression = compile_text(source, wanted)
        except ExpressionError as exc:
            below = source.lstrip()[2:][: exc.offset].count("\n")
            raise Unsupported(f"policy expression: {exc}", replace(place, line=line + below)) from exc
        if expression.reads_body:
            self.readers.append(source)
        return expression

    def steps(self, elements: list[Element]) -> tuple[Step, ...]:
        """The policies of a section, or of an element that holds policies."""
        found: list[Step] = []
        seen: dict[str, int] = {}
        for element in elements:
            seen[element.name] = seen.get(element.name, 0) + 1
            found += self._step(element, f"{element.name}[{seen[element.name]}]", seen[element.name])
        return tuple(found)

    def _step(self, element: Element, part: str, count: int) -> tuple[Step, ...]:
        if element.name == "include-fragment":
            return self._fragment(element)
        policy = POLICIES.get(element.name)
        if policy is None:
            raise Unsupported(f"the policy <{element.name}> is not supported", element.place)
        if self.section not in policy.sections:
            raise ArtifactError(f"<{element.name}> is not allowed in {self.section}", element.place)
        if self.scope not in policy.scopes:
            raise ArtifactError(f"<{element.name}> is not allowed in the {self.scope} scope", element.place)
        if policy.once and count > 1:
            raise ArtifactError(f"<{element.name}> may be used only once in a section", element.place)
        grammar.check(element)
        inner = replace(self.inside(part), readers=[])
        run = policy.build(element, inner)
        run = after_loading(run) if inner.readers else run
        return (Step(element.name, run, self.scope, self.section, inner.path, element.attributes.get("id", "")),)

    def _fragment(self, element: Element) -> tuple[Step, ...]:
        grammar.check(element)
        if self.in_fragment:
            raise ArtifactError("a policy fragment cannot include another one", element.place)
        name = element.attributes["fragment-id"]
        fragment = self.services.artifacts.fragments.get(name)
        if fragment is None:
            known = ", ".join(sorted(self.services.artifacts.fragments))
            raise ArtifactError(f"there is no fragment {name!r}; there are {known}", element.place)
        for inner in fragment.walk():
            if inner.name in {*SECTIONS, "base"}:
                raise ArtifactError(f"a policy fragment cannot hold <{inner.name}>", inner.place)
        return replace(self, in_fragment=True).steps(fragment.children)


@dataclass(frozen=True)
class Policy:
    build: Callable[[Element, Builder], Run]
    sections: frozenset[str]
    scopes: frozenset[str]
    once: bool


POLICIES: dict[str, Policy] = {}


def policy(
    name: str, sections: str = "inbound backend outbound on-error", scopes: str = " ".join(SCOPES), once: bool = False
) -> Callable[[Callable[[Element, Builder], Run]], Callable[[Element, Builder], Run]]:
    """Enter a policy in the table: where it may stand, by the usage section of its reference page."""

    def enter(build: Callable[[Element, Builder], Run]) -> Callable[[Element, Builder], Run]:
        POLICIES[name] = Policy(build, frozenset(sections.split()), frozenset(scopes.split()), once)
        return build

    return enter


async def run_steps(steps: tuple[Step, ...], context: Context, start: int = 0) -> None:
    """Run them in order. Raises GatewayError that knows which step failed."""
    step, trace = None, context.trace
    try:
        for step in steps[start:]:
            waiting = step.run(context) if trace is None else trace.run(step, context)
            if waiting is not None:
                await waiting
    except GatewayError as exc:
        assert step is not None
        exc.failure = exc.failure.located(step.scope, step.section, step.path, step.policy_id)
        raise
    except ExpressionError as exc:
        assert step is not None
        failure = Failure(step.policy, "ExpressionValueEvaluationFailure", f"Expression evaluation failed. {exc}")
        raise GatewayError(500, failure.located(step.scope, step.section, step.path, step.policy_id)) from exc


def after_loading(run: Run) -> Run:
    """The same, after the request's body has been taken from the wire."""

    def loading(context: Context) -> Awaitable[None] | None:
        body = context.request.body
        return run(context) if body is None or not body.pending else later(context, body)

    async def later(context: Context, body: Body) -> None:
        await body.load()
        waiting = run(context)
        if waiting is not None:
            await waiting

    return loading
