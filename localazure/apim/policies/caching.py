"""Answers: cache-lookup, cache-store. Values: cache-lookup-value, cache-store-value, cache-remove-value.

Source: their reference pages. The gateway's own memory stands in for an external cache, too.

On a hit the backend is not asked, and outbound goes on with the step after cache-store, as the gateway's trace says.
"""

from __future__ import annotations

from localazure.apim.context import Context
from localazure.apim.document import Element
from localazure.apim.policies.base import Builder, ResponseFromCache, Run, policy

_KEY = "localazure.cache-key"


def _check_type(element: Element, builder: Builder) -> None:
    builder.choice(element, "caching-type", "internal prefer-external external", "prefer-external")


@policy("cache-lookup", "inbound", once=True)
def cache_lookup(element: Element, builder: Builder) -> Run:
    """Look for a stored answer of a GET; one with Authorization is left alone unless the policy says otherwise."""
    element.allow(
        "vary-by-developer! vary-by-developer-groups! caching-type downstream-caching-type must-revalidate "
        "allow-private-response-caching",
        children="vary-by-header vary-by-query-parameter",
    )
    _check_type(element, builder)
    by_developer = builder.flag(element, "vary-by-developer", "false")
    by_groups = builder.flag(element, "vary-by-developer-groups", "false")
    private = builder.attribute(element, "allow-private-response-caching", "bool", "false")
    downstream = builder.choice(element, "downstream-caching-type", "none private public", "none")
    revalidate = builder.flag(element, "must-revalidate", "true")
    headers = [child.text for child in element.children if child.name == "vary-by-header"]
    listed = [child.text for child in element.children if child.name == "vary-by-query-parameter"]
    parameters = sorted(name for text in listed for name in text.split(";"))
    services = builder.services

    def key(context: Context) -> str:
        request = context.request
        query = [(name, ",".join(request.url.parameter(name) or [])) for name in parameters]
        parts = [context.api.id if context.api else "", request.url.path]
        parts += [f"{name}={value}" for name, value in (query if parameters else sorted(request.url.query))]
        parts += [f"{name}:{request.headers.get(name)}" for name in headers]
        if by_developer or by_groups:
            parts.append(context.subscription.developer if context.subscription else "")
        return "\n".join(parts)

    def run(context: Context) -> None:
        if context.request.method != "GET":
            return
        if "Authorization" in context.request.headers and not private(context):
            return
        if downstream != "none":
            context.variables["localazure.downstream"] = (downstream, revalidate)
        name = key(context)
        found = services.cache.get(name, services.clock.time())
        if found is None:
            context.variables[_KEY] = name
            return
        context.response = found
        raise ResponseFromCache

    return run


@policy("cache-store", "outbound", once=True)
def cache_store(element: Element, builder: Builder) -> Run:
    """Keep the answer that cache-lookup did not find: of a GET, and, unless told otherwise, only a 200."""
    element.allow("duration! cache-response caching-mode")
    duration = builder.attribute(element, "duration", "int")
    wanted = builder.optional(element, "cache-response", "bool")
    services = builder.services

    def run(context: Context) -> None:
        name, response = context.variables.pop(_KEY, None), context.response
        if name is None or response is None:
            return
        if wanted(context) if wanted else response.status == 200:
            _downstream(context, duration(context))
            services.cache.put(name, response, services.clock.time() + duration(context))

    return run


def _downstream(context: Context, seconds: int) -> None:
    """The Cache-Control that downstream-caching-type asks for."""
    allowed = context.variables.get("localazure.downstream")
    if allowed and context.response is not None:
        kind, revalidate = allowed
        value = f"{kind}, {'must-revalidate, ' if revalidate else ''}max-age={seconds}"
        context.response.headers.set("Cache-Control", [value])


@policy("cache-lookup-value")
def cache_lookup_value(element: Element, builder: Builder) -> Run:
    """A kept value into a variable; without one, the default, or no variable."""
    element.allow("key! default-value variable-name! caching-type")
    _check_type(element, builder)
    key, name = builder.attribute(element, "key", "string"), builder.literal(element, "variable-name")
    default = builder.optional(element, "default-value", "object")
    services = builder.services

    def run(context: Context) -> None:
        found = services.values.get(str(key(context)), services.clock.time())
        if found is not None:
            context.variables[name] = found[0]
        elif default is not None:
            context.variables[name] = default(context)

    return run


@policy("cache-store-value")
def cache_store_value(element: Element, builder: Builder) -> Run:
    """Keep a value for a number of seconds."""
    element.allow("key! value! duration! caching-type")
    _check_type(element, builder)
    key, value = builder.attribute(element, "key", "string"), builder.attribute(element, "value", "object")
    duration = builder.attribute(element, "duration", "int")
    services = builder.services

    def run(context: Context) -> None:
        services.values.put(str(key(context)), (value(context),), services.clock.time() + duration(context))

    return run


@policy("cache-remove-value")
def cache_remove_value(element: Element, builder: Builder) -> Run:
    """Forget a value."""
    element.allow("key! caching-type")
    _check_type(element, builder)
    key = builder.attribute(element, "key", "string")
    return lambda context: builder.services.values.remove(str(key(context)))
