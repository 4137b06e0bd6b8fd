"""The C# that policies are written in: what public policies use, as .NET gives it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import compile_text
from localazure.apim.expressions.members import patterns
from tests.conformance.apim.test_apim_expressions import context

BODY = (
    b'{"id": 7, "name": "x", "when": "2024-03-01T10:00:00Z", "price": 2.5, "none": null,'
    b' "items": [{"sku": "a", "n": 2}, {"sku": "b", "n": 3}]}'
)


def value(text: str, body: bytes = BODY, **variables: Any) -> Any:
    return compile_text(text, "object")(context(body, **variables))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # strings
        ('$"{1 + 1:000}|{"a",-3}|{true}|{{}}"', "002|a  |True|{}"),
        ('$@"c:\\{"x"}"', "c:\\x"),
        ('String.Format("{0:N2} {1}", 1234.5, "x")', "1,234.50 x"),
        ("\"a-b_c\".Split(new [] {'-', '_'}).Length", 3),
        ("\"a,,b\".Split(new char[] {','}, StringSplitOptions.RemoveEmptyEntries).Count()", 2),
        ('"Abc".Equals("aBC", StringComparison.OrdinalIgnoreCase)', True),
        ('"abc".IndexOf("z") + "abcb".LastIndexOf(\'b\')', 2),
        ('"7".PadLeft(3, \'0\') + "x".PadRight(2) + "|"', "007x |"),
        ('string.Concat("a", 1, null, true)', "a1True"),
        ('string.Join(", ", new List<int> {1, 2})', "1, 2"),
        ('"Hello".Insert(5, "!").Remove(0, 1).ToUpper()', "ELLO!"),
        ("new string('-', 3) + \"abc\"[1]", "---b"),
        # numbers
        ("int.MaxValue + 1", -(2**31)),
        ("long.MaxValue + 1", -(2**63)),
        ("(byte)300", 44),
        ("(int)-2.7", -2),
        ("(long)int.MaxValue + 1", 2**31),
        ("7 / 2 * 2.0", 6.0),
        ("1 << 33", 2),
        ("5 & 6 | 8 ^ 1", 13),
        ("Math.Round(2.5) + Math.Round(3.5)", 6.0),
        ('Convert.ToInt32(2.5) + Convert.ToInt32("40")', 42),
        ('int.TryParse("12", out var n) ? n : -1', 12),
        ('int.TryParse("x", out int n) ? n : -1', -1),
        ("'c' - 'a'", 2),
        ("1.5m + 2", 3.5),
        ("0.1 + 0.2", 0.1 + 0.2),
        ('255.ToString("X4")', "00FF"),
        # bytes
        ('Convert.ToBase64String(Encoding.UTF8.GetBytes("ä"))', "w6Q="),
        ('System.Text.Encoding.UTF8.GetString(System.Convert.FromBase64String("w6Q="))', "ä"),
        (
            'Convert.ToBase64String(new HMACSHA256(Encoding.UTF8.GetBytes("k")).ComputeHash(Encoding.UTF8.GetBytes("x")))',
            base64.b64encode(hmac.new(b"k", b"x", "sha256").digest()).decode(),
        ),
        (
            'BitConverter.ToString(SHA256.Create().ComputeHash(Encoding.ASCII.GetBytes("x"))).Replace("-", "").ToLower()',
            hashlib.sha256(b"x").hexdigest(),
        ),
        # times
        ('new DateTime(2024, 2, 29).AddYears(1).ToString("yyyy-MM-dd")', "2025-02-28"),
        ('DateTime.Parse("2024-03-01T10:00:00Z").ToUniversalTime().ToString("R")', "Fri, 01 Mar 2024 10:00:00 GMT"),
        ("(new DateTime(2024, 3, 1) - new DateTime(2024, 2, 1)).TotalDays", 29.0),
        ('DateTimeOffset.FromUnixTimeSeconds(0).AddHours(1.5).ToString("o")', "1970-01-01T01:30:00.0000000+00:00"),
        ("TimeSpan.FromMinutes(90).ToString()", "01:30:00"),
        ("DateTime.UtcNow > context.Timestamp", True),
        # collections and LINQ
        ('new Dictionary<string, int> { {"a", 1}, {"b", 2} }["b"]', 2),
        ('new Dictionary<string, string> { ["a"] = "x" }.ContainsKey("a")', True),
        ('new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "A" }.Contains("a")', True),
        ("new [] {3, 1, 2}.OrderByDescending(x => x).First()", 3),
        ('new [] {"bb", "a", "cc"}.GroupBy(x => x.Length).Select(g => g.Key + ":" + g.Count()).Last()', "1:1"),
        ("Enumerable.Range(1, 4).Where((x, i) => i % 2 == 0).Sum(x => x)", 4),
        ('new [] {"a", "b"}.Select((x, i) => $"{i}{x}").Aggregate((x, y) => x + y)', "0a1b"),
        ("new List<string>().FirstOrDefault()?.Length ?? -1", -1),
        # JSON
        ('(string)context.Request.Body.As<JObject>()["name"]', "x"),
        ('context.Request.Body.As<JObject>().Value<int>("id") + 1', 8),
        ('context.Request.Body.As<JObject>().Value<string>("none") ?? "null"', "null"),
        ('(int?)context.Request.Body.As<JObject>()["none"] ?? 5', 5),
        ('(string)context.Request.Body.As<JObject>().SelectToken("items[1].sku")', "b"),
        ('context.Request.Body.As<JObject>().SelectTokens("$.items[*].n").Sum(t => (int)t)', 5),
        ('((JArray)context.Request.Body.As<JObject>()["items"]).Count', 2),
        ('context.Request.Body.As<JObject>()["items"].Select(i => (string)i["sku"]).ToArray()', ["a", "b"]),
        ('string.Join("", context.Request.Body.As<JObject>().Properties().Select(p => p.Name[0]))', "inwpni"),
        ('context.Request.Body.As<JObject>()["name"] == "x"', False),
        ('(string)context.Request.Body.As<JObject>()["name"] == "x"', True),
        ('context.Request.Body.As<JObject>()["missing"] == null', True),
        ('context.Request.Body.As<JObject>()["when"].Type == JTokenType.Date', True),
        ('((DateTime)context.Request.Body.As<JObject>()["when"]).Month', 3),
        ("(context.Request.Body.As<JToken>() as JArray) == null", True),
        ('JsonConvert.SerializeObject(new { a = 1, b = new [] {"x"} })', '{"a":1,"b":["x"]}'),
        ('JsonConvert.DeserializeObject<Dictionary<string, int>>("{\\"a\\": 4}")["a"]', 4),
        ("JObject.FromObject(new { a = 1.0 }).ToString(Formatting.None)", '{"a":1.0}'),
        ('new JObject { ["a"] = 1, ["b"] = new JArray(1, "x") }.ToString(Formatting.None)', '{"a":1,"b":[1,"x"]}'),
        ("context.Request.Body.As<byte[]>(preserveContent: true).Length > 10", True),
        # XML
        ('(string)XElement.Parse("<a xmlns=\\"u\\"><b c=\\"1\\">x</b></a>").Element("{u}b").Attribute("c")', "1"),
        ('new XElement("a", new XAttribute("b", 1), new XElement("c", "x")).ToString()', '<a b="1">\n  <c>x</c>\n</a>'),
        # regular expressions
        ('Regex.Replace("2024-03", @"(\\d+)-(\\d+)", "$2/$1")', "03/2024"),
        ('Regex.Match("max-age=60", @"max-age=(?<age>\\d+)").Groups["age"].Value', "60"),
        ('Regex.Match("x", "y").Success', False),
        ('Regex.Replace("abc", "[a-z]", m => m.Value.ToUpper() + "$1")', "A$1B$1C$1"),
        ('Regex.IsMatch("ABC", "^abc$", RegexOptions.IgnoreCase)', True),
        # the context
        ('context.Variables["s"] is string t ? t : "no"', "text"),
        ('(context.Variables["i"] as string) ?? "no text"', "no text"),
        ('context.Variables.GetValueOrDefault<int>("none")', 0),
        ('context.Request.Headers.GetValueOrDefault("none") == null', True),
        ('context.Request.Headers.Any(h => h.Key == "X-One" && h.Value.Contains("1"))', True),
        ("context.Request.Url.ToUri().AbsoluteUri", "https://shop.example/v1/things?a=1&a=2&b=x%20y"),
        ('"Basic dTpw".AsBasic().Password', "p"),
        ("context.Deployment.Gateway.Id", "managed"),
        ("context.User == null", True),
    ],
)
def test_what_dotnet_gives(expression: str, expected: Any) -> None:
    found = value(f"@({expression})")
    assert (list(found) if isinstance(found, list) else found) == expected
    assert not isinstance(expected, bool) or found is expected


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("int n = 0; for (int i = 0; i < 5; i++) { if (i == 3) continue; n += i; } return n;", 7),
        ("var n = 1; while (true) { n *= 2; if (n > 100) break; } return n;", 128),
        ("int n = 0; do { n++; } while (n < 3); return n;", 3),
        ('switch ("b") { case "a": return 1; case "b": case "c": return 2; default: return 3; }', 2),
        ('string s = null; switch (3) { case 1: s = "x"; break; default: s = "d"; break; } return s;', "d"),
        ("int Fib(int n) { return n < 2 ? n : Fib(n - 1) + Fib(n - 2); } return Fib(10);", 55),
        ("int twice(int x) => x * 2; return new [] {1, 2}.Select(x => twice(x)).Sum(x => x);", 6),
        ("Func<int, int, int> add = (a, b) => a + b; return add(1, 2);", 3),
        ('try { return int.Parse("x"); } catch (FormatException e) { return -1; } finally { }', -1),
        ('try { throw new Exception("no"); } catch (Exception e) when (e.Message == "no") { return e.Message; }', "no"),
        ("int[] a = { 1, 2, 3 }; a[1] = 9; var b = a; b[0] += 1; return a[0] + a[1];", 11),
        ('var o = new JObject(); foreach (var p in new [] {"x", "y"}) { o[p] = p; } return (string)o["y"];', "y"),
        ('string[] v; if (context.Request.Headers.TryGetValue("X-Two", out v)) { return v[1]; } return "";', "b"),
        (
            'var s = new StringBuilder(); foreach (char c in "abc") { s.Append(c).Append(1); } return s.ToString();',
            "a1b1c1",
        ),
        ("long x = 5; x <<= 2; x--; return x;", 19),
        ('string s = null; s ??= "x"; s += 1; return s;', "x1"),
        ("using (var h = SHA1.Create()) { return h.ComputeHash(new byte[0]).Length; }", 20),
        (
            'var o = JObject.Parse("{\\"a\\": {\\"b\\": 1}}"); o["a"]["b"].Parent.Remove(); return o["a"].HasValues;',
            False,
        ),
    ],
)
def test_statements(statements: str, expected: Any) -> None:
    assert value(f"@{{ {statements} }}") == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@{ while (true) { } return 1; }", "more than 100000 steps"),
        ("@{ int f(int n) { return f(n + 1); } return f(0); }", "exec|steps|recursion"),
        ('@{ var s = "ab"; for (int i = 0; i < 60; i++) { s += s; } return s; }', "no value of more than"),
        ("@{ try { while (true) { } } catch (Exception) { } return 1; }", "more than 100000 steps"),
        ("@(new byte[2000000000])", "no value of more than"),
        ('@("x".PadLeft(2000000000))', "no value of more than"),
        ("@(Enumerable.Range(0, 2000000000).Count())", "no value of more than"),
        ('@(Regex.IsMatch(new string(\'a\', 5000) + "b", "^(a|a|aa)+$"))', "took more than|^$"),
    ],
)
def test_no_expression_holds_the_gateway(text: str, why: str) -> None:
    import re

    try:
        found = value(text)
    except ExpressionError as exc:
        assert re.search(why, str(exc))
    else:
        assert "^$" in why and found is False


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('@((int)context.Variables["s"])', "unable to cast"),
        ('@((string)JObject.Parse("{\\"a\\": {}}")["a"])', "Can not convert Object to String"),
        ('@((int)JObject.Parse("{\\"a\\": null}")["a"])', "Can not convert Null to Int32"),
        ('@(JObject.Parse("{}")["a"]["b"])', "Object reference not set"),
        ('@(JObject.Parse("{\\"a\\": 1}")["a"]["b"])', "Cannot access child value"),
        ('@(new Dictionary<string, int>()["x"])', "was not present in the dictionary"),
        ("@(new [] {1, 2}.Single())", "more than one element"),
        ('@(Convert.FromBase64String("?"))', "not a valid Base-64"),
        ('@(byte.Parse("256"))', "too large"),
        ("@(DateTime.MaxValue.AddDays(1))", "un-representable"),
        ("@(XElement.Parse(\"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>\"))", "DTD is prohibited"),
    ],
)
def test_what_throws_there_fails_here(text: str, why: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert why in str(caught.value)


def wrapped(number: int, bits: int) -> int:
    return (number + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(-(2**31) + 1, 2**31 - 1), st.sampled_from("+-*"))
def test_whole_numbers_overflow_as_unchecked_ones(a: int, b: int, sign: str) -> None:
    exact = {"+": a + b, "-": a - b, "*": a * b}[sign]
    assert value(f"@(({a}) {sign} ({b}))") == wrapped(exact, 32)
    assert value(f"@(((long){a}) {sign} ({b}))") == wrapped(exact, 64)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_texts_go_through_literals_json_and_base64(text: str) -> None:
    verbatim = '@"' + text.replace('"', '""') + '"'
    assert value(f"@({verbatim})") == text
    assert value(f'@((string)JObject.Parse(new JObject(new JProperty("a", {verbatim})).ToString())["a"] ?? "")') in {
        text,
        value(f"@(JToken.Parse(JsonConvert.SerializeObject({verbatim})).ToString())"),
    }
    encoded = (
        f"Encoding.UTF8.GetString(Convert.FromBase64String(Convert.ToBase64String(Encoding.UTF8.GetBytes({verbatim}))))"
    )
    assert value(f"@({encoded})") == text


@given(st.lists(st.integers(-9, 9), max_size=8), st.integers(0, 9))
def test_linq_does_what_a_model_in_python_does(items: list[int], count: int) -> None:
    array = "new int[] {" + ", ".join(map(str, items)) + "}"
    assert list(value(f"@({array}.Skip({count}).ToList())")) == items[count:]
    assert list(value(f"@({array}.OrderBy(x => x).Distinct().ToArray())")) == sorted(set(items))
    assert value(f"@({array}.Where(x => x > 0).Select(x => x * x).Sum(x => x))") == sum(x * x for x in items if x > 0)
    assert value(f"@({array}.Any(x => x == {count}))") is (count in items)


@pytest.mark.parametrize("options", ["", ", RegexOptions.IgnoreCase", ", RegexOptions.Multiline"])
@pytest.mark.parametrize(
    ("pattern", "straight"),
    [
        ("^00-(?!0{4})[0-9a-f]{4}-[0-9a-f]{2}$", True),
        ("^[A-C]{3}-[0-9]{2}$", True),
        ("^[a-z]{1,3}$", False),
        ("^(a|ab)c$", False),
        ("[0-9a-f]{4}", False),
    ],
)
def test_a_pattern_that_needs_no_time_limit_finds_what_it_finds_with_one(
    monkeypatch: pytest.MonkeyPatch, pattern: str, straight: bool, options: str
) -> None:
    assert patterns.is_straight(pattern) is straight
    for text in ("00-00a1-ff", "00-0000-ff", "00-00a1-fg", "ABC-12", "abc", "abc-12", "abcd", "x\nABC-12", "ABC-12\n"):
        expression = f'@(Regex.IsMatch("{text}", "{pattern}"{options}))'.replace("\n", "\\n")
        found = value(expression)
        with monkeypatch.context() as patched:
            patched.setattr(patterns, "is_straight", lambda _: False)
            assert value(expression) == found, text
