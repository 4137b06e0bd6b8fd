"""Route templates: which paths they take, what the function is told, and which of them stop the start."""

from __future__ import annotations

import re

import pytest

from localazure.functions.errors import InvalidFunction
from localazure.functions.routing import template_of

from .conftest import App

GUID = "2f1a7c64-9d0e-4b53-8e6f-5b0c3a91d7e2"
MATCHES = [
    ("a/{x}", "/a/1", {"x": "1"}),
    ("a/{x}", "/A/1/", {"x": "1"}),
    ("a/{x}", "/a/1//", None),
    ("a/{x}", "/a//", None),
    ("a/{x?}", "/a", {}),
    ("a/{x?}/{y?}", "/a/1/2", {"x": "1", "y": "2"}),
    ("a/{x=5}", "/a", {"x": "5"}),
    ("a/{x=5}", "/a/6", {"x": "6"}),
    ("a/{x:int=x}", "/a", None),
    ("{x=1}/b", "/b", None),
    ("a/{*x}", "/a/", {}),
    ("a/{**x}", "/a/b//c/", {"x": "b//c/"}),
    ("a/{*x}", "/a//b", None),
    ("{x}.{y}", "/1.2.3", {"x": "1.2", "y": "3"}),
    ("{x}.{y?}", "/1", {"x": "1"}),
    ("{x}.{y?}", "/1.", None),
    ("v{x}-{y}", "/v1-2-3", {"x": "1-2", "y": "3"}),
    ("a{{x}}", "/a{x}", {}),
    ("{x:int}", "/+5", {"x": "+5"}),
    ("{x:int}", "/ 5", {"x": " 5"}),
    ("{x:int}", "/2147483648", None),
    ("{x:int}", "/٥", None),
    ("{x:long}", "/-9223372036854775808", {"x": "-9223372036854775808"}),
    ("{x:long}", "/9223372036854775808", None),
    ("{x:bool}", "/ TRUE", {"x": " TRUE"}),
    ("{x:bool}", "/1", None),
    ("{x:guid}", f"/({GUID})", {"x": f"({GUID})"}),
    ("{x:guid}", f"/{{{GUID})", None),
    ("{x:guid}", f"/{GUID.replace('-', '')}", {"x": GUID.replace("-", "")}),
    ("{x:alpha}", "/aZ", {"x": "aZ"}),
    ("{x:alpha}", "/é", None),
    ("{x:decimal}", "/1,000.5", {"x": "1,000.5"}),
    ("{x:decimal}", "/1e3", None),
    ("{x:double}", "/1e3", {"x": "1e3"}),
    ("{x:float}", "/x", None),
    ("{x:datetime}", "/2026-01-02T03:04:05Z", {"x": "2026-01-02T03:04:05Z"}),
    ("{x:datetime}", "/2026-13-02", None),
    ("{x:min(3)}", "/3", {"x": "3"}),
    ("{x:min(3)}", "/2", None),
    ("{x:max(3)}", "/4", None),
    ("{x:range(1,5)}", "/6", None),
    ("{x:length(2)}", "/ab", {"x": "ab"}),
    ("{x:length(2,3)}", "/a", None),
    ("{x:minlength(2)}", "/a", None),
    ("{x:maxlength(2)}", "/abc", None),
    ("{x:regex(^\\d{{3}}-[a-z:]+$)}", "/123-A:", {"x": "123-A:"}),
    ("{x:regex(^\\d{{3}}$)}", "/12", None),
    ("{x:int:min(3):max(4)}", "/4", {"x": "4"}),
    ("{x:int:min(3):max(4)}", "/5", None),
    ("{x:int?}/{y?}", "/5", {"x": "5"}),
    ("%ROUTE%", "/%ROUTE%", {}),
]


@pytest.mark.parametrize(("template", "path", "values"), MATCHES)
def test_a_template_takes_these_paths(template: str, path: str, values: dict[str, str] | None) -> None:
    assert template_of("f", template).match(path) == values


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("api//lead", "cannot appear consecutively"),
        ("a/{b", "incomplete parameter"),
        ("a/b}", "incomplete parameter"),
        ("{*x}/y", "can only appear as the last segment"),
        ("a{*x}", "cannot have a catch-all parameter"),
        ("{*x?}", "cannot be marked optional"),
        ("{x=1?}", "cannot have default value"),
        ("{x}/{X}", "appears more than one time"),
        ("{x}{y}", "two consecutive parameters"),
        ("{x?}-{y}", "at the end of the segment"),
        ("{}", "is invalid"),
        ("a?b", "cannot contain the '?' character"),
        ("{x:colour}", "could not be resolved"),
        ("{x:min(a)}", "could not be resolved"),
        ("{x:length(1,2,3)}", "could not be resolved"),
        ("{x:regex([)}", "could not be resolved"),
    ],
)
def test_a_template_that_aspnet_refuses_is_refused_in_its_words(template: str, reason: str) -> None:
    with pytest.raises(InvalidFunction, match=re.escape(reason)):
        template_of("f", template)


@pytest.mark.parametrize("route", ["admin", "Admin/x", "administrators", "/runtime/x"])
async def test_routes_of_the_hosts_own_are_refused_whatever_the_prefix(app: App, route: str) -> None:
    app.write(f"""
        @app.route("{route}")
        def taken(req: func.HttpRequest) -> str: ...
    """)
    with pytest.raises(InvalidFunction, match=r"'taken'.*conflicts with one or more built in routes"):
        await app.start()


@pytest.mark.parametrize("prefix", ["a/b/", "/a/b/"])
async def test_a_prefix_that_ends_in_a_slash_stops_the_start(app: App, prefix: str) -> None:
    app.host_file["extensions"] = {"http": {"routePrefix": prefix}}
    app.write("""
        @app.route("ok")
        def ok(req: func.HttpRequest) -> str: ...
    """)
    with pytest.raises(InvalidFunction, match="cannot appear consecutively"):
        await app.start()
