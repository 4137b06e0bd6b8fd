"""Four documents become one pipeline: each scope's sections, its `<base />` replaced by the scope above.

Source: "Policies in API Management", scopes; "Set or edit policies", use of the base element.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError
from localazure.apim.model import Api, Operation, Product
from localazure.apim.policies.base import SECTIONS, Builder, Step
from localazure.apim.services import Services


@dataclass(frozen=True)
class Pipeline:
    """The steps of one operation, for requests in the context of one product or of none."""

    inbound: tuple[Step, ...]
    backend: tuple[Step, ...]
    outbound: tuple[Step, ...]
    on_error: tuple[Step, ...]

    @cached_property
    def after_store(self) -> int:
        """Where outbound goes on with an answer from the cache."""
        for number, step in enumerate(self.outbound):
            if step.policy == "cache-store":
                return number + 1
        return 0


@dataclass(frozen=True)
class _Document:
    """A compiled section: steps before and after `<base />`, or without it."""

    before: tuple[Step, ...]
    after: tuple[Step, ...]
    base: bool


class Pipelines:
    """Every pipeline, compiled when the gateway starts. Raises ArtifactError then."""

    def __init__(self, services: Services) -> None:
        self._services = services
        artifacts = services.artifacts
        globally = self._compile(artifacts.policy, Builder(services, "global", ""))
        self.bare = _joined([globally])
        products = {
            product.id: self._compile(product.policy, Builder(services, "product", ""))
            for product in artifacts.products
        }
        self._made: dict[tuple[str, str, str], Pipeline] = {}
        for api in artifacts.apis:
            shared = self._compile(api.policy, Builder(services, "api", "", api))
            for operation in api.operations:
                own = self._compile(operation.policy, Builder(services, "operation", "", api, operation))
                for product in ["", *(product.id for product in artifacts.products if api.id in product.apis)]:
                    scopes = [globally, *([products[product]] if product else []), shared, own]
                    self._made[api.id, operation.id, product] = _joined(scopes)

    def of(self, api: Api, operation: Operation, product: Product | None) -> Pipeline:
        return self._made[api.id, operation.id, product.id if product else ""]

    def _compile(self, root: Element | None, builder: Builder) -> dict[str, _Document]:
        if root is None:
            return {section: _Document((), (), True) for section in SECTIONS}
        root.allow(children=" ".join(SECTIONS))
        sections = {}
        for section in SECTIONS:
            element = root.child(section)
            if element is not None:
                sections[section] = self._section(element, replace(builder, section=section))
            elif builder.scope == "global":
                raise ArtifactError(f"<{section}> is missing; nothing is above the global scope", root.place)
            else:
                sections[section] = _Document((), (), True)
        return sections

    def _section(self, element: Element, builder: Builder) -> _Document:
        if element.attributes or element.text:
            raise ArtifactError("a section holds policies and nothing else", element.place)
        bases = [number for number, child in enumerate(element.children) if child.name == "base"]
        if len(bases) > 1:
            raise ArtifactError("<base /> may stand in a section only once", element.children[bases[1]].place)
        if bases and builder.scope == "global":
            raise ArtifactError("<base /> has no meaning in the global scope", element.children[bases[0]].place)
        cut = bases[0] if bases else len(element.children)
        children = [child for child in element.children if child.name != "base"]
        steps = builder.steps(children)
        before = builder.steps(children[:cut])
        return _Document(before, steps[len(before) :], bool(bases))


def _joined(scopes: list[dict[str, _Document]]) -> Pipeline:
    found: dict[str, tuple[Step, ...]] = dict.fromkeys(SECTIONS, ())
    for scope in scopes:
        for section, document in scope.items():
            above = found[section] if document.base else ()
            found[section] = (*document.before, *above, *document.after)
    return Pipeline(found["inbound"], found["backend"], found["outbound"], found["on-error"])
