"""Which resources every tenant knows without registering them: Azure's own services.

Source: "Azure services that support Microsoft Entra authentication" and the resource ids in their documentation.
"""

from __future__ import annotations

from urllib.parse import urlsplit

HOSTS = frozenset({"graph.microsoft.com", "management.core.windows.net", "ossrdbms-aad.database.windows.net"})
DOMAINS = ("azure.com", "azure.net", "core.windows.net", "database.windows.net", "documents.azure.com")


def azures_own(identifier: str) -> bool:
    """Whether an application ID URI is one of Azure's services, such as `https://vault.azure.net`."""
    try:
        parts = urlsplit(identifier)
        host = parts.hostname or ""
    except ValueError:
        return False
    known = host in HOSTS or any(host.endswith(f".{domain}") for domain in DOMAINS)
    return parts.scheme == "https" and known and parts.path in {"", "/"} and not parts.query
