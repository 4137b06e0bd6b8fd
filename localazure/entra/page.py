"""The pages a person sees: sign-in, signed out, refused. Whole documents that load nothing and run no script.

Everything that comes from outside goes through `escape`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from localazure.entra.authorization import Prompt
from localazure.entra.directory import Account

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #8c959f; --paper: #ffffff; --desk: #eef1f4;
  --accent: #0b5cad; --on-accent: #ffffff; --bad: #a40e26; --bad-paper: #ffebe9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9ea7b3; --line: #6e7681; --paper: #161b22;
  --desk: #0d1117; --accent: #6cb6ff; --on-accent: #0d1117; --bad: #ffb3ad; --bad-paper: #3b1518; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--desk);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 27rem; padding: 2rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: .5rem; overflow-wrap: anywhere; }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
ul { margin: 0 0 1rem; padding-left: 1.25rem; }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
input { width: 100%; margin-bottom: 1rem; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: .25rem;
  background: var(--paper); color: inherit; font: inherit; }
button { margin-right: .5rem; padding: .5rem 1.25rem; border: 1px solid var(--accent); border-radius: .25rem;
  background: none; color: var(--accent); font: inherit; font-weight: 600; cursor: pointer; }
button.main { background: var(--accent); color: var(--on-accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.alert { padding: .75rem; border: 1px solid var(--bad); border-radius: .25rem; background: var(--bad-paper);
  color: var(--bad); }
.hint { margin: 1.5rem 0 0; color: var(--soft); font-size: .875rem; }
"""

STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""What the header Content-Security-Policy lets the one style of these pages in by."""


def sign_in(prompt: Prompt, action: str, accounts: Iterable[Account], error: str | None = None) -> str:
    """The form. `action` is where it goes; `error` is said above it, and read out first."""
    client = escape(prompt.client.title)
    alert = f'<p class="alert" id="error" role="alert">{escape(error)}</p>' if error else ""
    faulty = ' aria-invalid="true" aria-describedby="error"' if error else ""
    at_name, at_password = ("", " autofocus") if prompt.username else (" autofocus", "")
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in prompt.scopes)
    return _document(
        f"{'Error: ' if error else ''}Sign in to {prompt.client.title}",
        f"""<h1>Sign in</h1>
<p>to continue to <strong>{client}</strong></p>
{alert}
<form method="post" action="{escape(action)}" accept-charset="utf-8">
<input type="hidden" name="transaction" value="{escape(prompt.transaction)}">
<label for="username">Username</label>
<input id="username" name="username" value="{escape(prompt.username)}" autocomplete="username" autocapitalize="none"
 spellcheck="false" required{faulty}{at_name}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{faulty}{at_password}>
<p id="scopes">{client} asks for:</p>
<ul aria-labelledby="scopes">{scopes}</ul>
<button class="main" name="decision" value="sign-in">Sign in</button>
<button name="decision" value="cancel" formnovalidate>Cancel</button>
</form>
<p class="hint">{escape(_hint(accounts))}</p>""",
    )


def refusal(message: str, details: Iterable[tuple[str, str]]) -> str:
    """A request that is not answered at the client's address."""
    listed = "<br>".join(f"{escape(name)}: {escape(value)}" for name, value in details)
    return _document(
        "Sign-in refused",
        f'<h1>Sign-in refused</h1>\n<p class="alert" role="alert">{escape(message)}</p>\n<p class="hint">{listed}</p>',
    )


def signed_out() -> str:
    return _document(
        "Signed out",
        "<h1>You are signed out</h1>\n<p>Nobody stays signed in here. Tokens that were given out are valid until they "
        "expire.</p>",
    )


def _hint(accounts: Iterable[Account]) -> str:
    accounts = tuple(accounts)
    names = ", ".join(account.name for account in accounts)
    if all(account.password == f"local-{account.name}" for account in accounts):
        return f"This is a local stand-in. Accounts: {names}; the password is local-<name>."
    return f"This is a local stand-in. Accounts: {names}; the passwords are in the accounts file."


def _document(title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
