"""No key opens what the templates make: read off the templates themselves, which takes no compiler."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE = re.compile(r"^ *resource \w+ '([\w./]+)[^']*' = (?!existing)", re.MULTILINE)
CLOSED = {
    "Microsoft.DocumentDB/databaseAccounts": "disableLocalAuth: true",
    "Microsoft.ServiceBus/namespaces": "disableLocalAuth: true",
    "Microsoft.Insights/components": "DisableLocalAuth: true",
    "Microsoft.OperationalInsights/workspaces": "disableLocalAuth: true",
    "Microsoft.Communication/communicationServices": "disableLocalAuth: true",
    "Microsoft.Storage/storageAccounts": "allowSharedKeyAccess: false",
    "basicPublishingCredentialsPolicies": "allow: false",
}
"""Kind of resource → what closes it to keys."""
BLOCK = r"^( *)resource \w+ '{}(?:@[^']*)?' = (?!existing)[^\n]*\{{$(.*?)^\1\}}"
TEMPLATES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "infra").rglob("*.bicep"))]


@pytest.mark.parametrize("kind", CLOSED)
def test_no_key_opens_what_a_template_makes(kind: str) -> None:
    made = [each for text in TEMPLATES for each in MADE.findall(text)].count(kind)
    block_of = re.compile(BLOCK.format(re.escape(kind)), re.MULTILINE | re.DOTALL)
    blocks = [found[2] for text in TEMPLATES for found in block_of.finditer(text)]
    assert len(blocks) == made > 0, "each that is made is read"
    for block in blocks:
        assert re.search(rf"\b{CLOSED[kind]}\s", block), block
