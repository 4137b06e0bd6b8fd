"""What README and docs/ tell people to type, to open and to believe is there; `scripts.documents` also runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from blueprints.accounts.domain import MAX_ADDRESSES
from blueprints.orders import declaration as orders
from blueprints.orders import return_saga, returns
from scripts import dataset
from scripts.demo import BASKET
from scripts.documents.checks import ROOT, dead_links, documents, programs, wrong
from scripts.documents.reading import Document
from scripts.replay import rows
from scripts.replay.plan import make_plan
from scripts.trigger import STORIES

PAGES = [path.relative_to(ROOT).as_posix() for path in documents()]
LINKING = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/decisions/*.md")) + sorted(
    path.relative_to(ROOT).as_posix() for path in ROOT.glob("localazure/*/COMPATIBILITY.md")
)


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_names_is_there(name: str) -> None:
    assert list(wrong(Document(ROOT / name))) == []


@pytest.mark.parametrize("name", [*PAGES, *LINKING, "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    assert list(dead_links(Document(ROOT / name))) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("`make nowhere`", "make has no target nowhere"),
        ("`make demo FILE=x.csv`", "make demo takes no FILE"),
        ("`make package SERVICE=orders`", None),
        ("`python -m scripts.nothing`", "there is no module scripts.nothing"),
        ("`python -m scripts.demo --colour`", "takes no --colour"),
        ("`python -m scripts.operate dead-letters lose`", "refuses dead-letters lose"),
        ("`python -m scripts.seed --help-me`", "scripts.seed takes no arguments"),
        ("`infra/nothing.bicep`", "there is no infra/nothing.bicep"),
        ("`infra/queries/<name>.kql`", None),
        ("```sh\nuuidgen\n```", "uuidgen is not on every machine"),
        ("```sh needs=az\naz login\n```", None),
        ("```\nmake run\n```", "does not say what it is"),
        ("```sh\nID=$(make -s token | jq .x) curl localhost\n```", "jq is not on every machine"),
    ],
)
def test_what_is_not_there_is_found(text: str, fault: str | None, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{text}\n")
    found = list(wrong(Document(page)))
    assert (found == []) if fault is None else (len(found) == 1 and fault in found[0]), found


def test_links_to_files_and_headings_that_are_not_there_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page, `here`\n\n[a](#a-page-here) [b](#elsewhere) [c](gone.md) [d](https://example.com/x)\n")
    assert list(dead_links(Document(page))) == ["#elsewhere: no such heading", "gone.md: no such file"]


def test_a_block_is_read_as_the_commands_of_a_shell(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# About\n```sh\n# two\none  # first\n\ntwo \\\n  'of\n lines'\nfor x in 1; do\n  three; done\nfour <id>\n"
        "five  # or <six>\n```\n"
    )
    commands = list(Document(page).commands)
    assert [(command.text.split()[0], command.line) for command in commands] == [
        *(("one", 4), ("two", 6)),
        *(("for", 9), ("four", 11), ("five", 12)),
    ]
    assert [command.is_example for command in commands] == [False, False, False, True, False]
    assert {command.section for command in commands} == {"About"}
    assert programs(commands[1].text) == {"two"}


def _limit(name: str) -> str:
    path = ROOT / "apim" / "named values" / name / "namedValueInformation.json"
    return f"{int(json.loads(path.read_text())['properties']['value']):,}"


def test_figures_of_the_limits_are_those_that_hold() -> None:
    api = Document(ROOT / "docs" / "api.md").prose
    for row in (
        f"{_limit('anonymous-calls-per-minute')} calls a minute by address; with a token, "
        f"{_limit('user-calls-per-minute')} by user | {_limit('public-calls-per-day')} a day by address",
        f"{_limit('partner-calls-per-minute')} a minute by subscription | {_limit('partner-calls-per-week')} a week",
        f"{_limit('internal-calls-per-minute')} a minute by subscription | {_limit('internal-calls-per-week')} a week",
        f"({_limit('webhook-calls-per-minute')} a minute by address)",
        f"order lines ({orders.ORDER_LINES_PER_MINUTE.default} a minute in the long run",
        f"under way at a time ({orders.ORDER_MOST_OPEN.default})",
        f"declined within an hour ({orders.ORDER_DECLINES_PER_HOUR.default})",
        f"keeps up to {MAX_ADDRESSES} addresses",
        f"within {returns.WINDOW.days} days of delivery",
    ):
        assert row in api, row
    assert orders.ORDER_PARTNER_FACTOR.default == "50" and "a partner has fifty times that" in api
    assert return_saga.REFUSED_AFTER.days == 7 and "others wait for the shop, a week at most" in api
    assert orders.ORDER_DEADLINE_SECONDS.default == "180" and "the order's deadline (three minutes)" in api


def test_figures_of_the_data_are_those_of_the_data() -> None:
    data, readme = dataset.read(), (ROOT / "README.md").read_text()
    assert f"{len(data.products)} products with their stock" in readme
    largest = max(data.baskets, key=lambda basket: len(basket.lines))
    products = len({sku for sku, _ in largest.lines})
    line = f"make demo BASKET={largest.invoice} ACCOUNT=shopper2      # the largest basket of the data: "
    assert f"{line}{len(largest.lines)} rows, {products} products" in readme
    assert (
        len(re.findall(rf"basket {BASKET}\b.*\n(?:.*\n)?  ord_\w+  {len(data.basket(BASKET).lines)} lines", readme))
        == 2
    )
    assert f"up to {len(largest.lines)} |" in (ROOT / "docs" / "performance.md").read_text()


def test_the_largest_basket_of_the_data_is_less_than_a_shopper_may_ask_for_in_a_minute() -> None:
    largest = max(dataset.read().baskets, key=lambda basket: len(basket.lines))
    calls = 2 * len({sku for sku, _ in largest.lines})  # each product put into the cart, and as many to look around
    assert calls < int(_limit("user-calls-per-minute").replace(",", ""))


def test_the_stories_that_help_names_are_those_there_are() -> None:
    (line,) = re.findall(r"^trigger: .*EVENT=(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line.split(" | ") == list(STORIES)


def test_figures_of_the_replay_are_those_of_its_plan() -> None:
    page = " ".join((ROOT / "docs" / "replay.md").read_text().split())
    plan = make_plan(rows.read(dataset.FILE), rows.tag(dataset.FILE))
    sold = sum(order.pence for order in plan.orders)
    due = sum(abs(line.pence * line.pieces) for line in plan.returns)
    pieces = sum(line.pieces for order in plan.orders for line in order.lines)
    start, change = sum(plan.start.values()), sum(plan.change.values())
    end = start - pieces + change
    for sentence in (
        f"({plan.rows:,} rows, {len(plan.orders)} orders, {len(plan.start):,} products by price)",
        f"{sum(len(order.lines) for order in plan.orders):,} rows sold, {len(plan.returns)} returned, "
        f"{len(plan.write_offs)} written off, {len(plan.finds)} found, {len(plan.rejected)} rejected",
        f"£{sold / 100:,.2f} sold, ordered and taken; £{due / 100:,.2f} due for returns",
        f"{start:,} - {pieces:,} + {change:,} = {end:,} pieces",
    ):
        assert sentence in page, sentence
