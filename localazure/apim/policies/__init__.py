"""The policies, one module for each group of the policy reference. Importing this fills the table."""

from localazure.apim.policies import access, caching, control, cors, limits, observe, routing, transform, validation
from localazure.apim.policies.base import POLICIES

__all__ = [
    "POLICIES",
    "access",
    "caching",
    "control",
    "cors",
    "limits",
    "observe",
    "routing",
    "transform",
    "validation",
]
