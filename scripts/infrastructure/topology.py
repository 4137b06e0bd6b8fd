"""The topics and subscriptions as the app itself knows them: a module, because a package has what is imported alone."""

from __future__ import annotations

from collections.abc import Sequence

from shared.declaration import Service

FILE = "shared/messaging/topology.py"


def topics(services: Sequence[Service]) -> list[str]:
    """Every topic that somebody hears."""
    return list(dict.fromkeys(topic for topic, _ in subscriptions(services)))


def subscriptions(services: Sequence[Service]) -> list[tuple[str, str]]:
    """Topic and name of every subscription."""
    return sorted((topic, service.name) for service in services for topic in service.hears)


def module(services: Sequence[Service]) -> str:
    """The text of the module."""
    lines = "".join(f'    ("{topic}", "{name}"),\n' for topic, name in subscriptions(services))
    return f'''"""The subscriptions that are declared. Written by scripts.infrastructure."""

from __future__ import annotations

SUBSCRIPTIONS: tuple[tuple[str, str], ...] = (
{lines})
"""Topic and name of each. The name is that of the service that hears."""
'''
