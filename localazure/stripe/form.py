"""Form-encoded parameters with brackets, as every Stripe client sends them, back into a tree."""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import parse_qsl

from localazure.stripe.errors import InvalidRequest

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"
Parameters: TypeAlias = "dict[str, Tree]"

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_CARD_NUMBER = re.compile(r"[2-6][0-9]{12,18}")
_MAX_PARAMETERS = 1000  # parameters in one request


def decode(text: str) -> Parameters:
    """`a[b]=1&c[0]=2&c[1]=3` → `{"a": {"b": "1"}, "c": ["2", "3"]}`. Raises InvalidRequest for what is neither."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_MAX_PARAMETERS)
    except ValueError as exc:
        raise InvalidRequest("The request's parameters are not form-encoded.") from exc
    root: dict[str, Tree] = {}
    for name, value in pairs:
        _refuse_card_number(name, value)
        _put(root, name, value)
    return {name: _with_lists(tree) for name, tree in root.items()}


def _put(root: dict[str, Tree], name: str, value: str) -> None:
    match = _NAME.fullmatch(name)
    if match is None:
        raise InvalidRequest(f"Invalid parameter name: {name}", code="parameter_unknown", param=name)
    steps = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
    branch = root
    for step in steps[:-1]:
        below = branch.setdefault(step or str(len(branch)), {})
        if not isinstance(below, dict):
            raise InvalidRequest(f"Invalid parameter: {name} is both a value and an object", param=name)
        branch = below
    last = steps[-1] or str(len(branch))
    if last in branch:
        raise InvalidRequest(f"The parameter {name} is given more than once", param=name)
    branch[last] = value


def _with_lists(tree: Tree) -> Tree:
    """A branch whose names are 0, 1, 2 … is a list."""
    if not isinstance(tree, dict):
        return tree
    below = {name: _with_lists(branch) for name, branch in tree.items()}
    if below and set(below) == {str(index) for index in range(len(below))}:
        return [below[str(index)] for index in range(len(below))]
    return below


def _refuse_card_number(name: str, value: str) -> None:
    digits = value.replace(" ", "").replace("-", "")
    if _CARD_NUMBER.fullmatch(digits) and _passes_luhn(digits):
        raise InvalidRequest(
            f"The parameter {name} holds a card number. Sending card numbers directly to the API is unsafe and is "
            "refused; use a payment method such as pm_card_visa.",
            param=name,
        )


def _passes_luhn(digits: str) -> bool:
    total = 0
    for index, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if index % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
