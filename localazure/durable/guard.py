"""The hub's refusals in the words of the extension's HTTP API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from localazure.durable import answers
from localazure.durable.errors import (
    DurableError,
    InstanceFinished,
    InstanceRunning,
    UnknownInstance,
    Unsupported,
    WrongState,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handler: Handler) -> Handler:
    """`handler`, answering an error where it raises a DurableError or a ValueError."""

    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except UnknownInstance:
            return answers.empty(404)
        except InstanceFinished:
            return answers.empty(410)
        except InstanceRunning as exc:
            return answers.error(str(exc), 409)
        except WrongState as exc:
            return answers.failed(str(exc), answers.HANDLING)
        except Unsupported as exc:
            return answers.error(str(exc), 501)
        except (DurableError, ValueError) as exc:
            return answers.argument(str(exc))

    return guard
