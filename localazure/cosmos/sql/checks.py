"""What can be said of a query from its text alone."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token, Tree


def sorts_selected(selection: Tree[Token], order: Tree[Token]) -> bool:
    """Whether ORDER BY sorts by what is selected, or by parts of it, and so equal results have equal places."""
    if selection.data == "select_all":
        return True
    selected = [
        item.children[0] if selection.data == "select_list" else item
        for item in selection.children
        if isinstance(item, Tree)
    ]
    return all(_part_of(item.children[0], selected) for item in order.children if isinstance(item, Tree))


def _part_of(tree: Token | Tree[Token] | None, wholes: Sequence[Token | Tree[Token]]) -> bool:
    while isinstance(tree, Tree):
        if tree in wholes:
            return True
        if tree.data not in ("member", "index"):
            return False
        tree = tree.children[0]
    return False
