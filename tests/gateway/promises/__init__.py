"""What the gateway's policies promise, one function a promise.

Tests run them all; the mutation check runs them again against policies from which one element is missing.
"""

from tests.gateway.promises import access, addresses, answers, files, limits, oddities, requests, transport
from tests.gateway.promises.promise import CASES

__all__ = ["CASES", "access", "addresses", "answers", "files", "limits", "oddities", "requests", "transport"]
