"""What the broker refuses, by the AMQP condition that makes the client raise the right exception.

BrokerError
├── EntityNotFound      amqp:not-found
├── EntityExists        com.microsoft:entity-already-exists
├── EntityDisabled      com.microsoft:entity-disabled
├── NotAllowed          amqp:not-allowed
├── Unauthorized        amqp:unauthorized-access
├── LockLost            com.microsoft:message-lock-lost
├── SessionLockLost     com.microsoft:session-lock-lost
├── SessionBusy         com.microsoft:session-cannot-be-locked
├── NoSession           com.microsoft:timeout
├── MessageNotFound     com.microsoft:message-not-found
├── TooLarge            amqp:link:message-size-exceeded
├── UnknownTransaction  amqp:transaction:unknown-id
├── TransactionTimeout  amqp:transaction:timeout
├── RolledBack          amqp:transaction:rollback
├── Malformed           amqp:decode-error
└── Unsupported         amqp:not-implemented
"""

from __future__ import annotations

from typing import ClassVar


class BrokerError(Exception):
    """Base; `status` is the HTTP-like status of management answers."""

    condition: ClassVar[str] = "amqp:internal-error"
    status: ClassVar[int] = 500


class EntityNotFound(BrokerError):
    condition = "amqp:not-found"
    status = 404


class EntityExists(BrokerError):
    condition = "com.microsoft:entity-already-exists"
    status = 409


class EntityDisabled(BrokerError):
    condition = "com.microsoft:entity-disabled"
    status = 403


class NotAllowed(BrokerError):
    condition = "amqp:not-allowed"
    status = 400


class Unauthorized(BrokerError):
    condition = "amqp:unauthorized-access"
    status = 401


class LockLost(BrokerError):
    condition = "com.microsoft:message-lock-lost"
    status = 410


class SessionLockLost(BrokerError):
    condition = "com.microsoft:session-lock-lost"
    status = 410


class SessionBusy(BrokerError):
    condition = "com.microsoft:session-cannot-be-locked"
    status = 410


class NoSession(BrokerError):
    condition = "com.microsoft:timeout"
    status = 408


class MessageNotFound(BrokerError):
    condition = "com.microsoft:message-not-found"
    status = 404


class TooLarge(BrokerError):
    condition = "amqp:link:message-size-exceeded"
    status = 400


class UnknownTransaction(BrokerError):
    condition = "amqp:transaction:unknown-id"
    status = 400


class TransactionTimeout(BrokerError):
    condition = "amqp:transaction:timeout"
    status = 408


class RolledBack(BrokerError):
    condition = "amqp:transaction:rollback"
    status = 400


class Malformed(BrokerError):
    condition = "amqp:decode-error"
    status = 400


class Unsupported(BrokerError):
    condition = "amqp:not-implemented"
    status = 501
