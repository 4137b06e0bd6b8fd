"""The hub's refusals as HTTP statuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from localazure.durable.errors import (
    DurableError,
    InstanceFinished,
    InstanceRunning,
    NotFailed,
    UnknownInstance,
    UnknownOrchestrator,
    Unsupported,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handler: Handler) -> Handler:
    """`handler`, answering an error where it raises a DurableError or a ValueError."""

    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except UnknownInstance as exc:
            return web.json_response({"Message": str(exc)}, status=404)
        except InstanceFinished as exc:
            return web.json_response({"Message": str(exc)}, status=410)
        except InstanceRunning as exc:
            return web.json_response({"Message": str(exc)}, status=409)
        except NotFailed as exc:  # the extension takes it for an error of its own
            return web.json_response({"Message": str(exc)}, status=500)
        except Unsupported as exc:
            return web.json_response({"Message": str(exc)}, status=501)
        except UnknownOrchestrator as exc:
            return web.json_response({"Message": "", "ExceptionMessage": str(exc)}, status=400)
        except (DurableError, ValueError) as exc:
            return web.json_response({"Message": str(exc), "ExceptionMessage": str(exc)}, status=400)

    return guard
