"""Routes of HTTP functions: their templates, the requests that match them, and the templates that Azure refuses.

Templates are ASP.NET Core's: literals, `{name}`, `{name?}`, `{name=default}`, `{*rest}`, constraints that follow one
another, several of these in one segment. Routes are tried in the alphabetical order of their functions' names, and
the first that fits answers: a literal does not go before a parameter.
Source: `RoutePatternParser` and `RoutePatternMatcher` of ASP.NET Core, `WebScriptHostHttpRoutesManager` of the host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from localazure.functions.constraints import Constraint, constraint
from localazure.functions.errors import InvalidFunction
from localazure.functions.indexing import Function

_RESERVED = ("admin", "runtime")
_PARAMETER = re.compile(r"\{(?!\{)((?:[^{}]|\{\{|\}\})*)\}(?!\})")
_DECLARED = re.compile(
    r"(?P<star>\*{0,2})(?P<name>.[^:=]*)(?P<constraints>(?::(?:[^:=(]|\(.*?\)(?=[:=]|$))*)*)(?:=(?P<default>.*))?"
)
_ONE = re.compile(r":((?:[^:(]|\(.*?\)(?=:|$))*)")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a template."""

    name: str
    catch_all: bool
    optional: bool
    default: str | None
    constraints: tuple[Constraint, ...]


Part = str | Parameter


@dataclass(frozen=True)
class Template:
    """A route template, ready to be matched."""

    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """The route's values where the decoded path is one of this route."""
        found = self.pattern.fullmatch(path)
        return None if found is None else self.values(found)

    def values(self, found: re.Match[str]) -> dict[str, str] | None:
        """The route's values where what was found meets the constraints."""
        values: dict[str, str] = {}
        for parameter, value in zip(self.parameters, found.groups(), strict=True):
            text = value or parameter.default
            if text:
                if not all(holds(text) for holds in parameter.constraints):
                    return None
                values[parameter.name] = text
        return values


@dataclass(frozen=True)
class Route:
    """One HTTP function's route; `methods` are upper case, and None for any."""

    function: Function
    methods: frozenset[str] | None
    template: Template


def routes_of(functions: Iterable[Function], prefix: str) -> list[Route]:
    """In the order in which they are tried. Raises InvalidFunction for a route that Azure's host refuses."""
    made: list[Route] = []
    seen: list[tuple[str, frozenset[str] | None, str]] = []
    for function in sorted(functions, key=lambda function: function.name.lower()):
        route = str(function.trigger.options.get("route") or function.name)
        methods = _methods(function)
        plain = route.strip("/").lower()
        if plain.startswith(_RESERVED):
            raise InvalidFunction(
                function.name, f"the route '{route}': The specified route conflicts with one or more built in routes."
            )
        for other_route, other_methods, other in seen:
            if plain == other_route and (not methods or not other_methods or methods & other_methods):
                raise InvalidFunction(
                    function.name, f"The route specified conflicts with the route defined by function '{other}'."
                )
        seen.append((plain, methods, function.name))
        made.append(Route(function, methods, template_of(function.name, f"{prefix}/{route}" if prefix else route)))
    return made


def _methods(function: Function) -> frozenset[str] | None:
    given = function.trigger.options.get("methods")
    return frozenset(str(getattr(method, "value", method)).upper() for method in given) if given else None


def template_of(name: str, text: str) -> Template:
    """Raises InvalidFunction, with what ASP.NET Core says of the template."""
    try:
        segments = list(_segments(text.removeprefix("~/").removeprefix("/")))
        _check(segments)
    except ValueError as exc:
        raise InvalidFunction(name, f"the route template '{text}' is not valid: {exc}") from exc
    parameters = tuple(part for segment in segments for part in segment if isinstance(part, Parameter))
    return Template(re.compile(_pattern(segments), re.IGNORECASE | re.DOTALL), parameters)


def _segments(text: str) -> Iterator[list[Part]]:
    """The segments of a template. A slash may stand in a parameter's constraint, not in its name."""
    if not text:
        return
    parts: list[Part] = []
    place = 0
    for match in _PARAMETER.finditer(text):
        yield from _literals(text[place : match.start()], parts)
        parts.append(_parameter(match[1]))
        place = match.end()
    yield from _literals(text[place:], parts)
    if parts:
        yield parts


def _literals(text: str, parts: list[Part]) -> Iterator[list[Part]]:
    """Add a stretch of literal text to `parts`; each slash ends a segment."""
    plain = text.replace("{{", "").replace("}}", "")
    if "{" in plain or "}" in plain:
        raise ValueError(
            "There is an incomplete parameter in the route template. Check that each '{' character has a matching '}' "
            "character."
        )
    if "?" in text:
        raise ValueError(f"The literal section '{text}' is invalid. Literal sections cannot contain the '?' character.")
    first, *others = text.replace("{{", "{").replace("}}", "}").split("/")
    if first:
        parts.append(first)
    for literal in others:
        if not parts:
            raise ValueError(
                "The route template separator character '/' cannot appear consecutively. It must be separated by "
                "either a parameter or a literal value."
            )
        yield list(parts)
        parts[:] = [literal] if literal else []


def _parameter(text: str) -> Parameter:
    text = text.replace("{{", "{").replace("}}", "}")
    optional = text.endswith("?")
    match = _DECLARED.fullmatch(text.removesuffix("?"))
    if match is None or re.search(r"[/{}?*]", match["name"]):
        raise ValueError(f"The route parameter name '{text}' is invalid.")
    catch_all, default = bool(match["star"]), match["default"]
    if catch_all and optional:
        raise ValueError("A catch-all parameter cannot be marked optional.")
    if optional and default is not None:
        raise ValueError("An optional parameter cannot have default value.")
    names = [found[1] for found in _ONE.finditer(match["constraints"]) if found[1]]
    return Parameter(match["name"], catch_all, optional, default, tuple(constraint(name) for name in names))


def _check(segments: list[list[Part]]) -> None:
    """Raises ValueError for parameters where none may stand."""
    names: set[str] = set()
    for segment in segments:
        for part in segment:
            if not isinstance(part, Parameter):
                continue
            if part.name.lower() in names:
                raise ValueError(f"The route parameter name '{part.name}' appears more than one time.")
            names.add(part.name.lower())
            if part.catch_all and len(segment) > 1:
                raise ValueError(
                    "A path segment that contains more than one section cannot have a catch-all parameter."
                )
            if part.catch_all and segment is not segments[-1]:
                raise ValueError("A catch-all parameter can only appear as the last segment of the route template.")
            if part.optional and len(segment) > 1 and (part is not segment[-1] or segment[-2] != "."):
                raise ValueError("An optional parameter must be at the end of the segment, behind a period.")
        if any(isinstance(one, Parameter) and isinstance(other, Parameter) for one, other in pairwise(segment)):
            raise ValueError("A path segment cannot contain two consecutive parameters.")


def _pattern(segments: list[list[Part]]) -> str:
    """Segments that need no value are nested: none of them is there without the one before."""
    pattern, closing = "", ""
    for place, segment in enumerate(segments):
        part = segment[0]
        if len(segment) > 1:
            pattern += "/" + _complex(segment)
        elif isinstance(part, str):
            pattern += "/" + re.escape(part)
        elif part.catch_all:
            return pattern + "(?:/([^/].*)|/)?" + closing
        elif (part.optional or part.default is not None) and _may_end(segments[place:]):
            pattern += "(?:/([^/]+)"
            closing += ")?"
        else:
            pattern += "/([^/]+)"
    return f"{pattern}{closing}/?"


def _may_end(segments: list[list[Part]]) -> bool:
    """Whether a path may end in front of these segments."""
    return all(
        len(segment) == 1
        and isinstance(segment[0], Parameter)
        and (segment[0].optional or segment[0].default is not None or segment[0].catch_all)
        for segment in segments
    )


def _complex(segment: list[Part]) -> str:
    """Several parts in one segment: each parameter takes as much as it can, the leftmost first. An optional one has
    what follows the last period, and a segment without it does not end in a period."""
    last = segment[-1]
    if isinstance(last, Parameter) and last.optional:
        return _complex(segment[:-2]).removesuffix("+)") + r"+?)(?:\.([^/.]+)|(?<!\.))"
    return "".join(re.escape(part) if isinstance(part, str) else "([^/]+)" for part in segment)
