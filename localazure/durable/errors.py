"""What the task hub refuses, and why.

DurableError
├── UnknownOrchestrator   no orchestrator function of that name
├── UnknownEntity         no entity function of that name
├── UnknownInstance       no such instance, no such entity
├── InvalidId             an id that an instance or an entity cannot have
├── InstanceRunning       an unfinished instance has that id already
├── NotFailed             only an instance that failed can be rewound
├── InstanceFinished      the instance can take no more messages
└── Unsupported           a feature of Durable that is not here, by name
"""

from __future__ import annotations


class DurableError(Exception):
    """Base of everything the task hub refuses."""


class UnknownOrchestrator(DurableError):
    """No orchestrator function of that name is registered."""


class UnknownEntity(DurableError):
    """No entity function of that name is registered."""


class UnknownInstance(DurableError):
    """There is no instance, or no entity, of that id."""


class InvalidId(DurableError):
    """An id has characters or a length that it cannot have."""


class InstanceRunning(DurableError):
    """An instance of that id has not finished; it is not replaced."""


class NotFailed(DurableError):
    """The instance has not failed; there is nothing to take back."""


class InstanceFinished(DurableError):
    """The instance has finished; nothing can be sent to it any more."""


class Unsupported(DurableError):
    """A feature that this task hub does not have."""
