"""string, char, StringBuilder and what every value has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, unquote

from localazure.apim.expressions.failures import bounded, throw
from localazure.apim.expressions.operators import joined
from localazure.apim.expressions.table import declare, enumeration, index
from localazure.apim.expressions.types import derive
from localazure.apim.expressions.values import composed, text

enumeration(
    "StringComparison",
    **{name: name for name in ("Ordinal", "InvariantCulture", "CurrentCulture")},
    **{f"{name}IgnoreCase": f"{name}IgnoreCase" for name in ("Ordinal", "InvariantCulture", "CurrentCulture")},
)
enumeration("StringSplitOptions", RemoveEmptyEntries=1, TrimEntries=2)
declare("StringSplitOptions", {"static StringSplitOptions None": lambda: 0})
derive("StringComparer", "IEqualityComparer<string>")
for _name in ("Ordinal", "InvariantCulture", "CurrentCulture"):
    declare("StringComparer", {f"static StringComparer {_name}": lambda: ""})
    declare("StringComparer", {f"static StringComparer {_name}IgnoreCase": lambda: "IgnoreCase"})


def _folded(value: str, comparison: str) -> str:
    return value.upper() if comparison.endswith("IgnoreCase") else value


def _substring(value: str, start: int, length: int | None = None) -> str:
    if start < 0 or start > len(value) or (length is not None and (length < 0 or start + length > len(value))):
        throw("ArgumentOutOfRangeException", "Substring: index and length must refer to a location within the string")
    return value[start:] if length is None else value[start : start + length]


def _split(value: str, separators: Iterable[str] | None, options: int = 0, count: int = 0) -> list[str]:
    wanted = [re.escape(item) for item in separators or () if item]
    pattern = "|".join(sorted(wanted, key=len, reverse=True)) or r"\s"
    if count == 1:
        return [value]
    found = re.split(pattern, value, maxsplit=max(count - 1, 0))
    if options & 2:
        found = [item.strip() for item in found]
    return [item for item in found if item] if options & 1 else found


def _replace(value: str, old: str, new: str | None) -> str:
    if not old:
        throw("ArgumentException", "String cannot be of zero length.")
    given = new or ""
    bounded(len(value) + value.count(old) * (len(given) - len(old)))
    return value.replace(old, given)


def _argument(value: Any) -> Any:
    if value is None:
        throw("ArgumentNullException", "Value cannot be null.")
    return value


def compare(one: str | None, other: str | None, comparison: str = "") -> int:
    """As the invariant culture orders letters: by letter first, small before capital."""
    a, b = one or "", other or ""
    if comparison.startswith("Ordinal"):
        a, b = _folded(a, comparison), _folded(b, comparison)
        return (a > b) - (a < b)
    if a.lower() == b.lower():
        same = a == b or comparison.endswith("IgnoreCase")
        return 0 if same else (a < b) - (a > b)
    return (a.lower() > b.lower()) - (a.lower() < b.lower())


def _equals(one: Any, other: Any, comparison: str = "") -> bool:
    if not isinstance(one, str) or not isinstance(other, str):
        return one is other
    return _folded(one, comparison) == _folded(other, comparison)


def _found(value: str, part: str, start: int = 0, comparison: str = "", last: bool = False) -> int:
    if start < 0 or start > len(value):
        throw("ArgumentOutOfRangeException", "Index was out of range.")
    held, wanted = _folded(value, comparison), _folded(_argument(part), comparison)
    return held.rfind(wanted) if last else held.find(wanted, start)


def _padded(value: str, width: int, character: str = " ", left: bool = True) -> str:
    bounded(width)
    return value.rjust(width, character) if left else value.ljust(width, character)


def _inserted(value: str, at: int, part: str) -> str:
    return _substring(value, 0, at) + part + value[at:]


def _removed(value: str, at: int, count: int | None = None) -> str:
    gone = _substring(value, at) if count is None else _substring(value, at, count)
    return value[:at] + value[at + len(gone) :]


def _strip(method: Callable[..., str]) -> Callable[..., str]:
    def strip(value: str, characters: Iterable[str] = ()) -> str:
        wanted = "".join(characters)
        return method(value, wanted) if wanted else method(value)

    return strip


def _any(value: str, characters: Iterable[str]) -> int:
    return min((at for at in (value.find(item) for item in characters) if at >= 0), default=-1)


def _bool(value: str | None) -> bool:
    if value is None or value.strip().lower() not in {"true", "false"}:
        throw("FormatException", f"String {value!r} was not recognized as a valid Boolean.")
    return value.strip().lower() == "true"


def _try_bool(value: str | None) -> tuple[bool, bool]:
    plain = (value or "").strip().lower()
    return plain in {"true", "false"}, plain == "true"


def _hash(value: Any) -> int:
    """A number that is the same for equal values; .NET's own differs from process to process, too."""
    from zlib import crc32

    held = crc32(text(value).encode("utf-8", "surrogatepass"))
    return held - (1 << 32) if held >= 1 << 31 else held


declare("object", {"string ToString()": text, "bool Equals(object)": lambda a, b: a == b, "int GetHashCode()": _hash})
declare("object", {"static bool Equals(object, object)": lambda a, b: a == b})
declare("object", {"static bool ReferenceEquals(object, object)": lambda a, b: a is b})
declare("object", {"static object new()": object})
declare(
    "string",
    {
        "int Length": len,
        "string[] Split(params char[])": _split,
        "string[] Split(string)": lambda value, separator: _split(value, [separator]),
        "string[] Split(char[], StringSplitOptions)": _split,
        "string[] Split(string[], StringSplitOptions)": _split,
        "string[] Split(char, StringSplitOptions)": lambda value, one, options: _split(value, [one], options),
        "string[] Split(string, StringSplitOptions)": lambda value, one, options: _split(value, [one], options),
        "string[] Split(char[], int)": lambda value, items, count: _split(value, items, 0, count),
        "string[] Split(char, int)": lambda value, one, count: _split(value, [one], 0, count),
        "string[] Split(string[], int, StringSplitOptions)": lambda value, items, count, options: _split(
            value, items, options, count
        ),
        "string Trim(params char[])": _strip(str.strip),
        "string TrimStart(params char[])": _strip(str.lstrip),
        "string TrimEnd(params char[])": _strip(str.rstrip),
        "string Trim(string)": lambda value, what: value.strip(what),
        "string TrimStart(string)": lambda value, what: value.lstrip(what),
        "string TrimEnd(string)": lambda value, what: value.rstrip(what),
        "bool Contains(string)": lambda value, part: _argument(part) in value,
        "bool Contains(char)": lambda value, part: part in value,
        "bool Contains(string, StringComparison)": lambda value, part, how: _found(value, part, 0, how) >= 0,
        "bool StartsWith(string)": lambda value, part: value.startswith(_argument(part)),
        "bool StartsWith(string, StringComparison)": lambda value, part, how: _folded(value, how).startswith(
            _folded(_argument(part), how)
        ),
        "bool EndsWith(string)": lambda value, part: value.endswith(_argument(part)),
        "bool EndsWith(string, StringComparison)": lambda value, part, how: _folded(value, how).endswith(
            _folded(_argument(part), how)
        ),
        "int IndexOf(string)": _found,
        "int IndexOf(char)": _found,
        "int IndexOf(string, int)": _found,
        "int IndexOf(char, int)": _found,
        "int IndexOf(string, StringComparison)": lambda value, part, how: _found(value, part, 0, how),
        "int IndexOf(string, int, StringComparison)": _found,
        "int IndexOfAny(char[])": _any,
        "int LastIndexOf(string)": lambda value, part: _found(value, part, last=True),
        "int LastIndexOf(char)": lambda value, part: _found(value, part, last=True),
        "int LastIndexOf(string, StringComparison)": lambda value, part, how: _found(value, part, 0, how, True),
        "string Substring(int startIndex)": _substring,
        "string Substring(int startIndex, int length)": _substring,
        "string Replace(string, string)": _replace,
        "string Replace(char, char)": _replace,
        "string Replace(string, string, StringComparison)": lambda value, old, new, how: re.sub(
            re.escape(_argument(old)), lambda _: new or "", value, flags=re.IGNORECASE if "Ignore" in how else 0
        ),
        "string Insert(int, string)": _inserted,
        "string Remove(int)": _removed,
        "string Remove(int, int)": _removed,
        "string PadLeft(int)": _padded,
        "string PadLeft(int, char)": _padded,
        "string PadRight(int)": lambda value, width: _padded(value, width, left=False),
        "string PadRight(int, char)": lambda value, width, one: _padded(value, width, one, left=False),
        "string ToLower()": str.lower,
        "string ToLowerInvariant()": str.lower,
        "string ToUpper()": str.upper,
        "string ToUpperInvariant()": str.upper,
        "string Normalize()": lambda value: value,
        "char[] ToCharArray()": list,
        "bool Equals(string)": _equals,
        "bool Equals(string, StringComparison)": _equals,
        "int CompareTo(string)": compare,
        "static bool IsNullOrEmpty(string)": lambda value: not value,
        "static bool IsNullOrWhiteSpace(string)": lambda value: not (value or "").strip(),
        "static string Join(string, IEnumerable<string>)": lambda by, items: joined(
            (by or "").join([item or "" for item in items])
        ),
        "static string Join(string, params object[])": lambda by, items: joined((by or "").join(map(text, items))),
        "static string Join<T>(string, IEnumerable<T>)": lambda by, items: joined((by or "").join(map(text, items))),
        "static string Join(char, params object[])": lambda by, items: joined(by.join(map(text, items))),
        "static string Concat(IEnumerable<string>)": lambda items: joined("".join([item or "" for item in items])),
        "static string Concat<T>(IEnumerable<T>)": lambda items: joined("".join(map(text, items))),
        "static string Concat(params object[])": lambda items: joined("".join(map(text, items))),
        "static string Format(string, params object[])": lambda form, items: joined(composed(form, *items)),
        "static bool Equals(string, string)": _equals,
        "static bool Equals(string, string, StringComparison)": _equals,
        "static int Compare(string, string)": compare,
        "static int Compare(string, string, StringComparison)": compare,
        "static int Compare(string, string, bool)": lambda a, b, ignore: compare(a, b, "IgnoreCase" if ignore else ""),
        "static int CompareOrdinal(string, string)": lambda a, b: compare(a, b, "Ordinal"),
        "static string Copy(string)": lambda value: value,
        "static string Empty": lambda: "",
        "static string new(char, int)": lambda one, count: one * bounded(count),
        "static string new(char[])": "".join,
        "static string new(char[], int, int)": lambda items, at, count: "".join(items[at : at + count]),
    },
)


def _at(value: str, at: int) -> str:
    if not 0 <= at < len(value):
        throw("IndexOutOfRangeException", "Index was outside the bounds of the array")
    return value[at]


index("string", "int", "char", _at)
declare(
    "char",
    {
        "static bool IsDigit(char)": str.isdecimal,
        "static bool IsLetter(char)": str.isalpha,
        "static bool IsLetterOrDigit(char)": lambda value: value.isalpha() or value.isdecimal(),
        "static bool IsNumber(char)": str.isnumeric,
        "static bool IsUpper(char)": str.isupper,
        "static bool IsLower(char)": str.islower,
        "static bool IsWhiteSpace(char)": str.isspace,
        "static bool IsPunctuation(char)": lambda value: not value.isalnum() and not value.isspace(),
        "static char ToUpper(char)": str.upper,
        "static char ToLower(char)": str.lower,
        "static char ToUpperInvariant(char)": str.upper,
        "static char ToLowerInvariant(char)": str.lower,
        "static char Parse(string)": lambda value: _at(value, 0),
        "static double GetNumericValue(char)": lambda value: float(value) if value.isdecimal() else -1.0,
    },
)
declare(
    "bool",
    {
        "static bool Parse(string)": _bool,
        "static bool TryParse(string, out bool)": _try_bool,
        "static string TrueString": lambda: "True",
        "static string FalseString": lambda: "False",
    },
)
declare("Environment", {"static string NewLine": lambda: "\n"})
declare(
    "WebUtility",
    {
        "static string UrlEncode(string)": lambda value: (
            None if value is None else quote(value, safe="-_.!*()").replace("%20", "+")
        ),
        "static string UrlDecode(string)": lambda value: None if value is None else unquote(value.replace("+", " ")),
        "static string HtmlEncode(string)": lambda value: __import__("html").escape(value).replace("&#x27;", "&#39;"),
        "static string HtmlDecode(string)": lambda value: __import__("html").unescape(value),
    },
)


class StringBuilder:
    """Pieces that become one text."""

    def __init__(self, value: str = "") -> None:
        self.pieces = [value or ""]
        self.length = len(value or "")

    def append(self, value: Any) -> StringBuilder:
        piece = text(value)
        self.length = bounded(self.length + len(piece))
        self.pieces.append(piece)
        return self

    def change(self, value: str) -> StringBuilder:
        self.pieces, self.length = [value], bounded(len(value))
        return self

    def __str__(self) -> str:
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0]


declare(
    "StringBuilder",
    {
        "static StringBuilder new()": StringBuilder,
        "static StringBuilder new(string)": StringBuilder,
        "static StringBuilder new(int)": lambda _: StringBuilder(),
        "StringBuilder Append(object)": StringBuilder.append,
        "StringBuilder Append(char, int)": lambda held, one, count: held.append(one * bounded(count)),
        "StringBuilder AppendLine()": lambda held: held.append("\n"),
        "StringBuilder AppendLine(string)": lambda held, value: held.append((value or "") + "\n"),
        "StringBuilder AppendFormat(string, params object[])": lambda held, form, items: held.append(
            composed(form, *items)
        ),
        "StringBuilder Insert(int, string)": lambda held, at, part: held.change(_inserted(str(held), at, part)),
        "StringBuilder Remove(int, int)": lambda held, at, count: held.change(_removed(str(held), at, count)),
        "StringBuilder Replace(string, string)": lambda held, old, new: held.change(_replace(str(held), old, new)),
        "StringBuilder Clear()": lambda held: held.change(""),
        "int Length": lambda held: held.length,
        "string ToString()": str,
    },
)
