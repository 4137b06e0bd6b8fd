"""The portal: guides whose Markdown cannot bring scripts or lead astray, and what its pages tell anybody."""

from __future__ import annotations

import json
from pathlib import Path

from localazure.apim.guides import read
from tests.conformance.apim.conftest import Files, Local


def test_guides_lead_to_one_another_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "api.md").write_text(
        "# The `API`, first\n\n[who](access.md#roles) [more](../deploy.md) [here](#part-two) [web](https://example.com/)\n\n"
        "## Part two\n\n| a |\n|---|\n| b |\n"
    )
    (tmp_path / "access.md").write_text("# Roles\n")
    api, access = read([tmp_path / "api.md", tmp_path / "access.md"])
    assert (api.path, api.title, access.path) == ("/guides/api", "The `API`, first", "/guides/access")
    assert api.anchors == {"the-api-first", "part-two"} and '<h2 id="part-two">' in api.html
    for link in ("/guides/access#roles", "#part-two", "https://example.com/"):
        assert f'href="{link}"' in api.html
    assert "deploy" not in api.html and '<div class="wide"><table>' in api.html


def test_html_and_scripts_of_a_guide_are_text(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("<script>alert(1)</script>\n\n[a](javascript:alert(1)) <b>bold</b>\n")
    (guide,) = read([tmp_path / "x.md"])
    assert "<script" not in guide.html and "<b>" not in guide.html and "href" not in guide.html


def test_keys_of_ones_own_subscriptions_stand_in_no_page(files: Files, local: Local) -> None:
    entry = {"id": "own", "name": "My own", "product": "p", "primary_key": "own-primary", "secondary_key": "own-second"}
    files.json("products/p/productInformation.json", displayName="P", subscriptionRequired=True)
    local.options["subscriptions"] = str(files.text("own.json", json.dumps([entry])))
    page = local.call(path="/")
    assert page.status == 200 and '<datalist id="keys"></datalist>' in page.text
    assert "own-primary" not in page.text and "My own" not in page.text


def test_the_document_names_the_gateway_that_was_asked(files: Files, local: Local) -> None:
    for host in ("localhost:9", "shop.localhost"):
        answer = local.call(path="/openapi.json", headers={"Host": host})
        assert json.loads(answer.text)["servers"] == [{"url": f"http://{host}/shop"}]
