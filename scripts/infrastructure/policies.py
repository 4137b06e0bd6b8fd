"""What the gateway's policies repeat of the operations: whose each is, what it demands, which methods a path takes.

An operation's policy is written once, and is then the project's own but for the lines between the marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from shared.web.endpoint import EACH, VERSION
from shared.web.operation import Operation

OPERATIONS = "apim/apis/commerce/operations"
METHODS = "apim/policy fragments/allowed-methods/policy.xml"
BEGIN, END = "    <!-- written by scripts.infrastructure -->\n", "    <!-- end -->\n"


def files(root: Path, operations: Iterable[Operation]) -> dict[str, str]:
    """Path → policy."""
    operations = list(operations)
    written = {f"{OPERATIONS}/{operation.gateway_id}/policy.xml": operation for operation in operations}
    return {
        **{path: _policy(root / path, operation) for path, operation in written.items()},
        METHODS: _methods(operations),
    }


def _policy(path: Path, operation: Operation) -> str:
    present = path.read_text(encoding="utf-8") if path.exists() else _new(operation)
    before, _, rest = present.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{_variables(operation)}{END}{after}"


def _variables(operation: Operation) -> str:
    values = {"service": _named(operation) if operation.owners else operation.service}
    if operation.scope:
        values |= {"scope": operation.scope.name, "roles": ",".join(operation.roles)}
    if operation.signature:
        values |= {"signed": "true"}
    return "".join(f'    <set-variable name="{name}" value="{value}" />\n' for name, value in values.items())


def _named(operation: Operation) -> str:
    """The service that the path names; where none of that name has the operation, the home of all, which has no such
    path."""
    named = " || ".join(f"named == &quot;{owner}&quot;" for owner in operation.owners)
    return (
        f"@{{ var named = context.Request.MatchedParameters[&quot;{EACH.name}&quot;]; "
        f"return {named} ? named : &quot;{operation.service}&quot;; }}"
    )


def _new(operation: Operation) -> str:
    body = '    <include-fragment fragment-id="validate-body" />\n' if operation.body else ""
    return f"""<policies>
  <inbound>
{BEGIN}{END}    <base />
{body}  </inbound>
  <backend>
    <base />
  </backend>
  <outbound>
    <base />
  </outbound>
  <on-error>
    <base />
  </on-error>
</policies>
"""


def _methods(operations: list[Operation]) -> str:
    taken: dict[str, list[str]] = {}
    for operation in operations:
        taken.setdefault(re.sub(r"\{\w+\}", "[^/]+", operation.path), []).append(operation.method)
    lines = [
        f'    if (Regex.IsMatch(path, "^/{VERSION}{path}/?$")) {{ return "{", ".join(sorted(methods))}"; }}\n'
        for path, methods in taken.items()
    ]
    return f"""<!-- Which methods a path takes, where it takes others than this request's: no operation was found.
     Written by scripts.infrastructure. -->
<fragment>
  <set-variable name="allow" value='@{{
    var path = context.Request.OriginalUrl.Path;
{"".join(lines)}    return "";
  }}' />
</fragment>
"""
