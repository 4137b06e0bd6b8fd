"""Cross-origin requests. Source: the cors policy's reference, and the Fetch standard for the headers."""

from __future__ import annotations

from localazure.apim.context import Context, Headers, Response
from localazure.apim.document import Element
from localazure.apim.policies.base import Builder, ReturnResponse, Run, policy

SIMPLE = ("GET", "POST")
"""What is allowed where no methods are listed."""


@policy("cors", "inbound", once=True)
def cors(element: Element, builder: Builder) -> Run:
    """Answers a preflight, unless another cors policy may know its origin; promises the headers for other answers."""
    element.allow(
        "allow-credentials terminate-unmatched-request",
        children="allowed-origins! allowed-methods allowed-headers expose-headers",
    )
    credentials = builder.flag(element, "allow-credentials", "false")
    terminate = builder.flag(element, "terminate-unmatched-request", "true")
    origins = _list(element, "allowed-origins", "origin")
    methods = _list(element, "allowed-methods", "method") or list(SIMPLE)
    headers = [name.lower() for name in _list(element, "allowed-headers", "header")]
    exposed = _list(element, "expose-headers", "header")
    held = element.child("allowed-methods")
    age = builder.number(held, "preflight-result-max-age", "0") if held else 0

    def allowed(origin: str) -> bool:
        return "*" in origins or origin.rstrip("/") in {known.rstrip("/") for known in origins}

    def common(origin: str) -> Headers:
        answer = Headers({"Access-Control-Allow-Origin": "*" if "*" in origins and not credentials else origin})
        if "*" not in origins:
            answer.set("Vary", ["Origin"])
        if credentials:
            answer.set("Access-Control-Allow-Credentials", ["true"])
        return answer

    def preflight(context: Context, origin: str, method: str) -> None:
        asked = context.request.headers.get("Access-Control-Request-Headers")
        names = [name.strip().lower() for name in asked.split(",") if name.strip()]
        answer = Response(200)
        fits = allowed(origin) and ("*" in methods or method in methods)
        if not fits and not terminate:
            return  # another cors policy of the same pipeline may know the origin
        if fits and ("*" in headers or all(name in headers for name in names)):
            answer.headers = common(origin)
            answer.headers.set("Access-Control-Allow-Methods", [method if "*" in methods else ",".join(methods)])
            if names:
                answer.headers.set("Access-Control-Allow-Headers", [",".join(names)])
            if age:
                answer.headers.set("Access-Control-Max-Age", [str(age)])
        context.response = answer
        raise ReturnResponse

    def run(context: Context) -> None:
        request = context.request
        origin = request.headers.get("Origin")
        if not origin:
            return
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            preflight(context, origin, request.headers.get("Access-Control-Request-Method"))
        if not allowed(origin):
            if terminate and request.method in {"GET", "HEAD"}:
                context.response = Response(200)
                raise ReturnResponse
            return
        for name, value in common(origin):
            context.sent_with_answer.set(name, [value])
        if exposed:
            context.sent_with_answer.set("Access-Control-Expose-Headers", [",".join(exposed)])

    return run


def _list(element: Element, group: str, item: str) -> list[str]:
    held = element.child(group)
    if held is None:
        return []
    held.allow("preflight-result-max-age" if group == "allowed-methods" else "", children=f"{item}!")
    return [child.text for child in held.children]
