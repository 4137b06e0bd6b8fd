"""Who may use what is for this machine alone: no page of a stranger, and nobody under a stranger's name.

Everything binds to the loopback address, and any page that a browser here shows can send requests there. So what acts
on the parts (`/admin`, `/runtime`, `/_local`) wants a `Host` that is this machine (a stranger's name may resolve to
127.0.0.1, which is called DNS rebinding) and neither a foreign `Origin` nor `Sec-Fetch-Site: cross-site`. Programs
send neither header.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

PRIVATE = ("/admin", "/runtime", "/_local")
_OWN = frozenset({"localhost", "127.0.0.1", "::1"})


@web.middleware
async def own_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers 403 with the reason where a private address is asked for from elsewhere."""
    return refusal(request, request.path) or await handler(request)


@web.middleware
async def own_machine_alone(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The same for a part of which nothing is for strangers."""
    if reason := _foreign(request):
        return web.Response(status=403, text=f"this is for this machine: {reason}\n")
    return await handler(request)


def refusal(request: web.Request, path: str) -> web.Response | None:
    """403 with the reason where `path`, as it is going to be routed, is private and asked for from elsewhere."""
    if path.lower().startswith(PRIVATE) and (reason := _foreign(request)):
        return web.Response(status=403, text=f"{path.split('/')[1]} is for this machine: {reason}\n")
    return None


def _foreign(request: web.Request) -> str:
    """What shows that the request comes from elsewhere; empty where nothing does."""
    host = request.headers.get("Host")
    if host is not None and not _is_own(f"//{host}"):
        return "the Host of the request is not"
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own(origin):
        return "the page that asks (Origin) is not"
    if request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
        return "the page that asks is of another site (Sec-Fetch-Site)"
    return ""


def _is_own(address: str) -> bool:
    try:
        parts = urlsplit(address)
        name, _ = parts.hostname, parts.port
    except ValueError:  # brackets that do not match, or a port that is not one
        return False
    return name is not None and (name in _OWN or name.endswith(".localhost"))
