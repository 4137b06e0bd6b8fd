"""What a host of one service is told: who it is, and how it proves that. No key is among it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from localazure.certificate import CERTIFICATE
from localazure.entra import TENANT
from localazure.entra.managed import PATH
from localazure.identities import Identities, Identity, header, load
from localazure.parts import IDENTITIES, TABLE, PartError
from localazure.parts import load as load_part

SERVICES = "SERVICES"
"""The app setting that says which services a host registers."""
TLS = {"cosmos": "cosmos-tls", "email": "email-tls"}
"""Part → its second port, to which tokens are sent. Service Bus has both on one."""
VAULT = "keyvault"


class Split:
    """The hosts of one `up`: each has an identity that Entra gives tokens for, as long as Entra runs beside them."""

    def __init__(self, app: Path, state: Path, ports: Mapping[str, int], tenant: str) -> None:
        """Raises PartError for a file of identities that cannot be read."""
        file = app / IDENTITIES
        try:
            self._identities = load(str(file)) if file.exists() and "entra" in ports else Identities()
        except ValueError as exc:
            raise PartError(str(exc)) from exc
        self._ports, self._state = ports, state
        self._entra = f"http://localhost:{ports.get('entra')}"
        self._tenant = tenant or TENANT
        self.secret = secrets.token_hex(32)
        """What the headers of all identities are derived from: Entra's to know."""

    def options(self, part: str) -> dict[str, str]:
        """Of a part that takes tokens: whose, and where."""
        if not self._identities.identities or not TABLE[part].identity_part:
            return {}
        own = {"entra": f"{self._entra}/{self._tenant}/v2.0/.well-known/openid-configuration"}
        return own | ({"tls_port": str(self._ports[TLS[part]])} if part in TLS else {})

    def environment(
        self, service: str, file: Mapping[str, str], environment: Mapping[str, str], overrides: Mapping[str, str]
    ) -> dict[str, str]:
        """`file` is what the settings file has, `overrides` what is to be there in its place.

        A connection that the environment gives, or that leads elsewhere, is left as it is. Raises PartError for a
        service without an identity.
        """
        told = {**overrides, SERVICES: service}
        if not self._identities.identities:
            return told
        identity = self._identities.named(service)
        if identity is None:
            raise PartError(f"{service} has no identity in {IDENTITIES}; `python -m scripts.infrastructure` writes it")
        for part in (name for name, entry in TABLE.items() if entry.identity_part):
            told |= self._connection(part, identity, file, environment)
            if f"{TABLE[part].setting}__credential" in told:
                told.pop(TABLE[part].setting, None)
        told |= {
            "IDENTITY_ENDPOINT": f"{self._entra}{PATH}",
            "IDENTITY_HEADER": header(self.secret, identity),
            "SSL_CERT_FILE": str((self._state / CERTIFICATE).absolute()),
        }
        return told | dict.fromkeys(self._secrets() - self._secrets(service), "")

    def _connection(
        self, part: str, identity: Identity, file: Mapping[str, str], environment: Mapping[str, str]
    ) -> dict[str, str]:
        entry = TABLE[part]
        here = f"localhost:{load_part(part).default_port}" in file.get(entry.setting, "")
        if part not in self._ports or entry.setting in environment or not here:
            return {}
        address = f"https://localhost:{self._ports[TLS[part]]}/" if part in TLS else f"localhost:{self._ports[part]}"
        return {
            f"{entry.setting}__{entry.identity_part}": address,
            f"{entry.setting}__credential": "managedidentity",
            f"{entry.setting}__clientId": identity.client_id,
        }

    def _secrets(self, service: str | None = None) -> set[str]:
        """Settings that come from the vault; with a `service` those that its identity may read."""
        return {
            given.scope.removeprefix("/secrets/")
            for given in self._identities.role_assignments
            if given.resource == VAULT and service in (None, given.identity)
        }
