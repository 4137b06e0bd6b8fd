"""What the task hub refuses, and why.

DurableError
├── UnknownEntity         no entity function of that name
├── UnknownInstance       no such instance, no such entity
├── InvalidId             an id that an instance or an entity cannot have
├── InstanceRunning       an unfinished instance has that id already
├── WrongState            the instance is in a state in which that cannot be done
├── InstanceFinished      the instance can take no more messages
└── Unsupported           a feature of Durable that is not here, by name
"""

from __future__ import annotations


class DurableError(Exception):
    """Base of everything the task hub refuses."""


class UnknownEntity(DurableError):
    """No entity function of that name is registered."""


class UnknownInstance(DurableError):
    """There is no instance, or no entity, of that id."""


class InvalidId(DurableError):
    """An id has characters or a length that it cannot have."""


class InstanceRunning(DurableError):
    """An instance of that id has not finished; it is not replaced."""


class WrongState(DurableError):
    """The instance is in a state in which that cannot be done."""


class InstanceFinished(DurableError):
    """The instance has finished; nothing can be sent to it any more."""


class Unsupported(DurableError):
    """A feature that this task hub does not have."""
