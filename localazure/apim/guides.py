"""The portal's guides: Markdown files, each a page of its own. HTML in them is shown as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token


@dataclass(frozen=True)
class Guide:
    """A page: its address, its title (the first heading), its text, and the names of its headings."""

    path: str
    title: str
    html: str
    anchors: frozenset[str]


def read(files: Sequence[Path]) -> list[Guide]:
    """The guides in their order. A link from one to another leads to its page; to any other file it is no link.

    Raises OSError for a file that cannot be read.
    """
    return [_guide(file, {each.name: _path(each) for each in files}) for file in files]


def _path(file: Path) -> str:
    return f"/guides/{file.stem}"


def _guide(file: Path, pages: dict[str, str]) -> Guide:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(file.read_text(encoding="utf-8"))
    title, anchors = file.stem, set[str]()
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            name = anchor(following.content)
            anchors.add(name)
            token.attrSet("id", name)
            title = following.content if token.tag == "h1" else title
        for link in token.children or ():
            _lead(link, pages)
    page = str(parser.renderer.render(tokens, parser.options, {}))
    page = page.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return Guide(_path(file), title, page, frozenset(anchors))


def anchor(heading: str) -> str:
    """The name of a heading, as code hosts make it: in lower case, blanks as hyphens, without other punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _lead(token: Token, pages: dict[str, str]) -> None:
    target = str(token.attrs.get("href", ""))
    if token.type != "link_open" or "://" in target or target.startswith("#"):
        return
    name, _, anchor = target.partition("#")
    if name in pages:
        token.attrSet("href", pages[name] + (f"#{anchor}" if anchor else ""))
    else:
        del token.attrs["href"]
