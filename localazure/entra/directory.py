"""Who may sign in: the accounts, clients and roles of the tenant, read once from a JSON file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec

from localazure.entra import redirects
from localazure.entra.errors import DirectoryError


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person. `oid` is the person in the tenant, `sub` the person as this API sees them."""

    name: str
    display_name: str
    oid: str
    sub: str
    password: str
    roles: tuple[str, ...]


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application. One without a secret is public; `roles` are what it holds when it acts as itself.

    `redirect_uris` are where its sign-ins may end. The port of one on `http://localhost` does not matter.
    """

    name: str
    client_id: str
    oid: str
    grants: tuple[str, ...]
    secret: str | None = None
    roles: tuple[str, ...] = ()
    display_name: str = ""
    redirect_uris: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        return self.secret is None

    @property
    def title(self) -> str:
        """What people are told it is called."""
        return self.display_name or self.name

    def may_return_to(self, redirect_uri: str) -> bool:
        return any(redirects.matches(registered, redirect_uri) for registered in self.redirect_uris)


class Directory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The tenant. `scopes` says which delegated scopes each role may be granted."""

    domain: str
    scopes: dict[str, tuple[str, ...]]
    accounts: tuple[Account, ...]
    clients: tuple[Client, ...]

    @cached_property
    def _accounts(self) -> dict[str, Account]:
        by_name = {account.name.lower(): account for account in self.accounts}
        return by_name | {f"{name}@{self.domain}": account for name, account in by_name.items()}

    @cached_property
    def _clients(self) -> dict[str, Client]:
        return {key.lower(): client for client in self.clients for key in (client.client_id, client.name)}

    @cached_property
    def all_scopes(self) -> tuple[str, ...]:
        """Every scope the API defines."""
        return tuple(sorted({scope for scopes in self.scopes.values() for scope in scopes}))

    def account(self, username: str) -> Account | None:
        """By name or user principal name, in any case."""
        return self._accounts.get(username.lower())

    def client(self, client_id: str) -> Client | None:
        """By id or, which Entra would not take, by name."""
        return self._clients.get(client_id.lower())

    def is_browser_origin(self, origin: str) -> bool:
        """Whether a public client's pages are served from there."""
        return any(
            redirects.admits(uri, origin) for client in self.clients if client.public for uri in client.redirect_uris
        )

    def principal_name(self, account: Account) -> str:
        """The account's user principal name."""
        return f"{account.name}@{self.domain}"

    def allowed(self, account: Account) -> tuple[str, ...]:
        """The scopes the account's roles may be granted."""
        return tuple(sorted({scope for role in account.roles for scope in self.scopes[role]}))


NOBODY = Directory(domain="localazure.local", scopes={}, accounts=(), clients=())
"""A tenant that nobody has entered anyone into."""


def load(path: Path) -> Directory:
    """Read the file. Raises DirectoryError for one that is missing, malformed or inconsistent."""
    try:
        directory = msgspec.json.decode(path.read_bytes(), type=Directory)
    except OSError as exc:
        raise DirectoryError(f"the accounts file {path} cannot be read: {exc.strerror}") from exc
    except msgspec.MsgspecError as exc:
        raise DirectoryError(f"the accounts file {path} is malformed: {exc}") from exc
    for account in directory.accounts:
        if unknown := set(account.roles) - directory.scopes.keys():
            raise DirectoryError(
                f"the accounts file {path} gives {account.name} the role {min(unknown)}, which has no entry in scopes"
            )
    for client in directory.clients:
        for uri in client.redirect_uris:
            if wrong := redirects.fault(uri):
                raise DirectoryError(
                    f"the accounts file {path} gives {client.name} the redirect URI {uri}, which {wrong}"
                )
    return directory
