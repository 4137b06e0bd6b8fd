"""What the console answers where it cannot do what it was asked to.

ConsoleError(status)
├── BadRequest      400   what was sent makes no sense
├── Forbidden       403   asked for by a page that is not the console
├── Missing         404   there is no such thing, or no more
├── Conflict        409   it is there, and this cannot be done with it
├── Busy            429   more is under way than there is room for
└── Unavailable     502   the part behind it does not answer, or refuses
"""

from __future__ import annotations

from typing import ClassVar


class ConsoleError(Exception):
    """A sentence for the person at the page."""

    status: ClassVar[int] = 500


class BadRequest(ConsoleError):
    status = 400


class Forbidden(ConsoleError):
    status = 403


class Missing(ConsoleError):
    status = 404


class Conflict(ConsoleError):
    status = 409


class Busy(ConsoleError):
    status = 429


class Unavailable(ConsoleError):
    status = 502
