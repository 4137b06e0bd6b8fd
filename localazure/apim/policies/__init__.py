"""The policies, one module for each group of the policy reference. Importing this fills the table."""

from localazure.apim.policies import (
    access,
    addresses,
    caching,
    control,
    cors,
    identity,
    jwt,
    limits,
    mocking,
    observe,
    rewriting,
    routing,
    sending,
    transform,
    validation,
)
from localazure.apim.policies.base import POLICIES

__all__ = [
    "POLICIES",
    "access",
    "addresses",
    "caching",
    "control",
    "cors",
    "identity",
    "jwt",
    "limits",
    "mocking",
    "observe",
    "rewriting",
    "routing",
    "sending",
    "transform",
    "validation",
]
