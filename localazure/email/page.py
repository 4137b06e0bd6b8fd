"""The inbox as a person sees it: whole documents that load nothing and run no script.

Everything that was sent goes through `escape`; a message's HTML is shown in a frame that may do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from localazure.email.engine import Sent

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }
article { margin: 1rem 0; padding: 1rem; border: 1px solid #8c959f; border-radius: .5rem; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.1rem; }
p { margin: .25rem 0; }
pre { white-space: pre-wrap; }
iframe { width: 100%; height: 20rem; border: 1px solid #8c959f; background: #fff; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; base-uri 'none'"


def inbox(messages: Iterable[Sent], address: str) -> str:
    """What arrived, the newest first."""
    shown = "".join(map(_article, messages)) or "<p>Nothing has arrived.</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Inbox</title><style>{STYLE}</style></head>
<body><main><h1>Inbox</h1>
<form><label>Of whom <input name="to" value="{escape(address)}"></label> <button>Show</button></form>
{shown}</main></body></html>
"""


def _article(sent: Sent) -> str:
    message = sent.message
    to = ", ".join(recipient.address for recipient in message.recipients.all)
    html = (
        f'<iframe sandbox title="HTML" srcdoc="{escape(message.content.html)}"></iframe>'
        if message.content.html
        else ""
    )
    return f"""<article><h2>{escape(message.content.subject)}</h2>
<p>To {escape(to)}, from {escape(message.sender_address)}, {escape(sent.at)}</p>
<details><summary>Text</summary><pre>{escape(message.content.plain_text)}</pre></details>
<details><summary>HTML</summary>{html}</details></article>
"""
