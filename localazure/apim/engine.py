"""The gateway: which operation, whose subscription, which pipeline, and what becomes of errors. Knows no sockets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote

from localazure.apim.context import Context, Headers, Request, Response
from localazure.apim.errors import ArtifactError, ExpressionError, Failure, GatewayError
from localazure.apim.model import Api, Operation, Product, Subscription
from localazure.apim.pipeline import Pipeline, Pipelines
from localazure.apim.policies.base import ResponseFromCache, ReturnResponse, Step, run_steps
from localazure.apim.services import Services
from localazure.apim.trace import Redaction, Trace

log = logging.getLogger("localazure.apim")

_NOT_FOUND = Failure("configuration", "OperationNotFound", "Unable to match incoming request to an operation.")
_TELLING = frozenset({"check-header", "validate-jwt", "validate-azure-ad-token"})
"""Policies whose author chooses status and message: these are told even with a 500."""
_NO_KEY = Failure(
    "authorization",
    "SubscriptionKeyNotFound",
    "Access denied due to missing subscription key. Make sure to include subscription key when making requests "
    "to this API.",
)
_WRONG_KEY = Failure(
    "authorization",
    "SubscriptionKeyInvalid",
    "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.",
)


@dataclass(frozen=True)
class _Match:
    api: Api
    operation: Operation
    parameters: dict[str, str]
    path: str


class Gateway:
    """One configured gateway. Raises ArtifactError where the artifacts cannot be served."""

    def __init__(self, services: Services, subscriptions: Iterable[Subscription]) -> None:
        self._services = services
        self._artifacts = services.artifacts
        self._pipelines = Pipelines(services)
        self._products = {product.id: product for product in self._artifacts.products}
        self._keys: dict[str, Subscription] = {}
        for subscription in subscriptions:
            if subscription.product and subscription.product not in self._products:
                raise ArtifactError(
                    f"subscription {subscription.id} names the product {subscription.product!r}, which does not exist"
                )
            for key in (subscription.primary_key, subscription.secondary_key):
                self._keys[key] = subscription
        self._open = {api.id: self._open_product(api) for api in self._artifacts.apis}
        # The longest path first, so that an API below another one is found; fixed segments before parameters.
        self._apis = sorted(self._artifacts.apis, key=lambda api: -len(api.path))
        self._operations = {
            api.id: sorted(api.operations, key=lambda operation: operation.template.count("{")) for api in self._apis
        }

    def redaction(self) -> Redaction:
        """What a trace does not show."""
        names = [name for api in self._artifacts.apis for name in (api.key_header, api.key_query)]
        return Redaction.of([*self._artifacts.secrets, *self._keys], names)

    async def handle(self, request: Request, trace: Trace | None = None) -> Response:
        """The answer to one request; never raises for what a request or a backend does."""
        clock = self._services.clock
        context = Context(request, clock.time(), clock.time, trace=trace)
        pipeline = self._pipelines.bare
        try:
            try:
                if request.wrong:
                    raise GatewayError(400, Failure("request", "Bad request", request.wrong))
                pipeline = self._route(context)
                await self._run(pipeline, context)
            except (GatewayError, ReturnResponse):
                raise
            except Exception as exc:
                log.exception("a policy of %s failed unexpectedly", context.operation.id if context.operation else "?")
                raise GatewayError(500, Failure("gateway", "InternalError", "Internal server error")) from exc
        except GatewayError as exc:
            with suppress(ReturnResponse):
                await self._on_error(pipeline, context, exc)
        except ReturnResponse:
            pass
        response = self._finish(context)
        if trace is not None:
            trace.finish(context, response)
        return response

    # finding

    def _route(self, context: Context) -> Pipeline:
        request = context.request
        method = request.method
        preflight = method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if preflight:
            method = request.headers.get("Access-Control-Request-Method")
        match = self._match(method, request.url.path)
        if preflight and (match is None or not self._answers_preflights(match)):
            preflight, match = False, self._match("OPTIONS", request.url.path)
        if match is None:
            raise GatewayError(404, _NOT_FOUND)
        context.api, context.operation = match.api, match.operation
        request.matched, request.url.path = match.parameters, match.path
        context.backend_url = match.api.url
        if preflight:
            context.product = self._open[match.api.id]
            return Pipeline(self._cors(match), (), (), ())
        return self._admit(match, context)

    def _answers_preflights(self, match: _Match) -> bool:
        return bool(self._cors(match))

    def _cors(self, match: _Match) -> tuple[Step, ...]:
        """The cors policies that stand directly in inbound; the first that knows the origin answers a preflight."""
        steps = self._pipelines.of(match.api, match.operation, self._open[match.api.id]).inbound
        return tuple(step for step in steps if step.policy == "cors")

    def _match(self, method: str, path: str) -> _Match | None:
        for api in self._apis:
            prefix = f"/{api.path}" if api.path else ""
            if path != prefix and not path.startswith(f"{prefix}/"):
                continue
            rest = path[len(prefix) :] or "/"
            for operation in self._operations[api.id]:
                if operation.method == method and (found := operation.pattern.fullmatch(rest)):
                    parameters = {name: unquote(value) for name, value in found.groupdict().items()}
                    return _Match(api, operation, parameters, rest)
        return None

    def _admit(self, match: _Match, context: Context) -> Pipeline:
        """Source: "Subscriptions in API Management", how requests with and without keys are handled."""
        api, request = match.api, context.request
        key = request.headers.get(api.key_header) or next(iter(request.url.parameter(api.key_query) or []), "")
        product: Product | None = None
        denied: Failure | None = None
        if key:
            subscription = self._keys.get(key)
            if subscription is None or subscription.state != "active" or not self._reaches(subscription, api):
                denied = _WRONG_KEY
            else:
                context.subscription = subscription
                product = self._products.get(subscription.product)
        else:
            product = self._open[api.id]
            if product is None and api.subscription_required:
                denied = _NO_KEY
        context.product = product
        pipeline = self._pipelines.of(api, match.operation, product)
        if denied is not None:
            # The error is handled by the on-error of every scope that applies, but nothing of inbound runs.
            return Pipeline((_denial(denied),), (), (), pipeline.on_error)
        return pipeline

    def _reaches(self, subscription: Subscription, api: Api) -> bool:
        return not subscription.product or api.id in self._products[subscription.product].apis

    def _open_product(self, api: Api) -> Product | None:
        found = [
            product
            for product in self._artifacts.products
            if not product.subscription_required and api.id in product.apis
        ]
        if len(found) > 1:
            names = " and ".join(product.id for product in found)
            raise ArtifactError(f"the API {api.id} is in more than one open product: {names}")
        return found[0] if found else None

    # running

    async def _run(self, pipeline: Pipeline, context: Context) -> None:
        start = 0
        try:
            await run_steps(pipeline.inbound, context)
        except ResponseFromCache:
            start = pipeline.after_store
        else:
            await run_steps(pipeline.backend, context)
        await run_steps(pipeline.outbound, context, start)

    async def _on_error(self, pipeline: Pipeline, context: Context, error: GatewayError) -> None:
        context.error = error.failure
        context.response = self._told(context, error)
        try:
            await run_steps(pipeline.on_error, context)
        except ReturnResponse:
            raise
        except Exception as exc:
            log.error("on-error failed: %s", exc.failure if isinstance(exc, GatewayError) else type(exc).__name__)
            context.response = _plain(500, "Internal server error")

    def _told(self, context: Context, error: GatewayError) -> Response:
        """The answer where no policy makes another: the gateway says as little as Azure's does, its log says more."""
        failure = error.failure
        if failure is _NOT_FOUND:
            return _plain(404, "Resource not found", error.headers)
        if error.status != 500 or failure.source in _TELLING:
            return _plain(error.status, failure.message, error.headers)
        place = "/".join(part for part in (failure.scope, failure.section, failure.path) if part)
        message = " ".join(failure.message.split())[:500]
        log.warning("%s: %s: %s (%s)", failure.source, failure.reason, message, place or "no policy")
        return _plain(500, "Internal server error", error.headers, activityId=str(context.request_id))

    def _finish(self, context: Context) -> Response:
        response = context.response or Response(200)
        for name, value in context.sent_with_answer:
            if name.lower() == "vary" and name in response.headers:
                response.headers.add(name, value)
            else:
                response.headers.set(name, [value])
        context.response = response
        for after in context.afterwards:
            try:
                after(context)
            except ExpressionError as exc:  # the answer is made: what cannot be counted is not
                log.warning("a count at the end of %s failed: %s", context.request_id, exc)
        return response


def _denial(failure: Failure) -> Step:
    def refuse(_: Context) -> None:
        raise GatewayError(401, failure)

    return Step("authorization", refuse, "", "", "", "")


def _plain(status: int, message: str, headers: dict[str, str] | None = None, **more: str) -> Response:
    """The gateway's own answer, where no policy makes another."""
    answer = Response(status, Headers({"Content-Type": "application/json", **(headers or {})}))
    answer.body = json.dumps({"statusCode": status, "message": message, **more}).encode()
    return answer
