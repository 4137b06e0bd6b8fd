"""LINQ over everything that can be enumerated. Results are made at once, not when they are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Any

from localazure.apim.expressions.casting import HashSet, is_instance
from localazure.apim.expressions.failures import Thrown, bounded, throw
from localazure.apim.expressions.jtoken import JToken, JValue
from localazure.apim.expressions.members.collections import AnyCase, Dictionary
from localazure.apim.expressions.members.texts import compare
from localazure.apim.expressions.table import declare
from localazure.apim.expressions.types import NUMBERS
from localazure.apim.expressions.values import Group

Items = Iterable[Any]
Test = Callable[[Any], Any]


def _every(_: Any) -> bool:
    return True


def _first(items: Items, test: Test = _every) -> Any:
    for item in items:
        if test(item):
            return item
    raise Thrown("InvalidOperationException", "Sequence contains no elements")


def _last(items: Items, test: Test = _every) -> Any:
    return _first(reversed(list(items)), test)


def _default(items: Items, test: Test = _every) -> Any:
    return next((item for item in items if test(item)), None)


def _single(items: Items, test: Test = _every) -> Any:
    found = [item for item in items if test(item)]
    if len(found) > 1:
        throw("InvalidOperationException", "Sequence contains more than one element")
    return _first(found)


def _single_or_default(items: Items, test: Test = _every) -> Any:
    found = [item for item in items if test(item)]
    return _single(found) if found else None


def _at(items: Items, number: int) -> Any:
    held = list(items)
    if not 0 <= number < len(held):
        throw("ArgumentOutOfRangeException", "Index was out of range.")
    return held[number]


def _at_or_default(items: Items, number: int) -> Any:
    held = list(items)
    return held[number] if 0 <= number < len(held) else None


def _key(value: Any) -> Any:
    """What an element is found by: tokens that hold scalars by what they hold."""
    if isinstance(value, JValue):
        return value.kind, value.value
    return id(value) if isinstance(value, JToken | list | dict) else value


def _distinct(items: Items) -> list[Any]:
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(_key(item), item)
    return list(found.values())


def _among(items: Items, other: Items, kept: bool) -> list[Any]:
    keys = {_key(item) for item in other}
    return [item for item in _distinct(items) if (_key(item) in keys) is kept]


def _groups(items: Items, key: Test, element: Test | None = None) -> list[Group]:
    found: dict[Any, Group] = {}
    for item in items:
        held = key(item)
        group = found.setdefault(_key(held), Group())
        group.key = held
        group.append(element(item) if element else item)
    return list(found.values())


def order(one: Any, other: Any) -> int:
    """The order of two keys; null comes first, texts as the invariant culture has them."""
    a = one.value if isinstance(one, JValue) else one
    b = other.value if isinstance(other, JValue) else other
    if a is None or b is None:
        return (a is not None) - (b is not None)
    if isinstance(a, str) and isinstance(b, str):
        return compare(a, b)
    try:
        return int(a > b) - int(a < b)
    except TypeError:
        throw("ArgumentException", "At least one object must implement IComparable.")


class Ordered(list[Any]):
    """A sorted sequence that remembers its keys, for ThenBy."""

    keys: tuple[tuple[Test, int], ...] = ()


def _ordered(items: Items, key: Test, sign: int = 1, before: tuple[tuple[Test, int], ...] = ()) -> Ordered:
    keys = (*before, (key, sign))

    def compared(one: Any, other: Any) -> int:
        for of, way in keys:
            if found := order(of(one), of(other)):
                return found * way
        return 0

    made = Ordered(sorted(items, key=cmp_to_key(compared)))
    made.keys = keys
    return made


def _then(items: Any, key: Test, sign: int = 1) -> Ordered:
    return _ordered(items, key, sign, getattr(items, "keys", ()))


def _to_dictionary(items: Items, key: Test, element: Test | None = None, comparer: str = "") -> Dictionary:
    found = Dictionary((), comparer)
    for item in items:
        held = key(item)
        if found.key(held) in found:
            throw("ArgumentException", "An item with the same key has already been added.")
        found[held] = element(item) if element else item
    return found


def _numbered(items: Items, of: Callable[[Any, int], Any]) -> list[Any]:
    return [of(item, number) for number, item in enumerate(items)]


def _flat(items: Items, of: Test) -> list[Any]:
    return [inner for item in items for inner in of(item)]


def _folded(items: Items, start: Any, step: Callable[[Any, Any], Any]) -> Any:
    for item in items:
        start = step(start, item)
    return start


def _reduced(items: Items, step: Callable[[Any, Any], Any]) -> Any:
    held = list(items)
    return _folded(held[1:], _first(held), step)


def _while(items: Items, test: Test, skip: bool) -> list[Any]:
    held = list(items)
    cut = next((number for number, item in enumerate(held) if not test(item)), len(held))
    return held[cut:] if skip else held[:cut]


def _extreme(items: Items, sign: int, of: Test | None = None) -> Any:
    held = [of(item) for item in items] if of else list(items)
    found = _first(held)
    for item in held[1:]:
        if order(item, found) * sign > 0:
            found = item
    return found


def _mean(items: list[Any]) -> Any:
    if not items:
        throw("InvalidOperationException", "Sequence contains no elements")
    return sum(items) / len(items)


def _range(start: int, count: int) -> list[int]:
    if count < 0:
        throw("ArgumentOutOfRangeException", "Specified argument was out of the range of valid values.")
    return list(range(start, start + bounded(count)))


def _contains(items: Items, item: Any, comparer: str = "") -> bool:
    if comparer == "IgnoreCase":
        return any(isinstance(held, str) and held.lower() == (item or "").lower() for held in items)
    return item in list(items) if not isinstance(items, AnyCase) else item in items


def _of_type(items: Items, type_: str) -> list[Any]:
    return [item for item in items if item is not None and is_instance(item, type_)]


declare(
    "IEnumerable<T>",
    {
        "bool Any()": lambda items: len(list(items)) > 0,
        "bool Any(Func<T,bool>)": lambda items, test: any(test(item) for item in items),
        "bool All(Func<T,bool>)": lambda items, test: all(test(item) for item in items),
        "int Count()": lambda items: len(list(items)),
        "int Count(Func<T,bool>)": lambda items, test: sum(1 for item in items if test(item)),
        "long LongCount()": lambda items: len(list(items)),
        "bool Contains(T)": _contains,
        "bool Contains(T, StringComparer)": _contains,
        "IEnumerable<T> Where(Func<T,bool>)": lambda items, test: [item for item in items if test(item)],
        "IEnumerable<T> Where(Func<T,int,bool>)": lambda items, test: [
            item for number, item in enumerate(items) if test(item, number)
        ],
        "IEnumerable<R> Select<R>(Func<T,R>)": lambda items, of: [of(item) for item in items],
        "IEnumerable<R> Select<R>(Func<T,int,R>)": _numbered,
        "IEnumerable<R> SelectMany<R>(Func<T,IEnumerable<R>>)": _flat,
        "T First()": _first,
        "T First(Func<T,bool>)": _first,
        "T FirstOrDefault()": _default,
        "T FirstOrDefault(Func<T,bool>)": _default,
        "T Last()": _last,
        "T Last(Func<T,bool>)": _last,
        "T LastOrDefault()": lambda items: _default(reversed(list(items))),
        "T LastOrDefault(Func<T,bool>)": lambda items, test: _default(reversed(list(items)), test),
        "T Single()": _single,
        "T Single(Func<T,bool>)": _single,
        "T SingleOrDefault()": _single_or_default,
        "T SingleOrDefault(Func<T,bool>)": _single_or_default,
        "T ElementAt(int)": _at,
        "T ElementAtOrDefault(int)": _at_or_default,
        "IEnumerable<T> Skip(int)": lambda items, count: list(items)[max(count, 0) :],
        "IEnumerable<T> Take(int)": lambda items, count: list(items)[: max(count, 0)],
        "IEnumerable<T> SkipWhile(Func<T,bool>)": lambda items, test: _while(items, test, True),
        "IEnumerable<T> TakeWhile(Func<T,bool>)": lambda items, test: _while(items, test, False),
        "IEnumerable<T> Concat(IEnumerable<T>)": lambda items, other: [*items, *other],
        "IEnumerable<T> Append(T)": lambda items, item: [*items, item],
        "IEnumerable<T> Prepend(T)": lambda items, item: [item, *items],
        "IEnumerable<T> Distinct()": _distinct,
        "IEnumerable<T> Distinct(StringComparer)": lambda items, how: list(
            {(item.lower() if how else item): item for item in reversed(list(items))}.values()
        )[::-1],
        "IEnumerable<T> Union(IEnumerable<T>)": lambda items, other: _distinct([*items, *other]),
        "IEnumerable<T> Intersect(IEnumerable<T>)": lambda items, other: _among(items, other, True),
        "IEnumerable<T> Except(IEnumerable<T>)": lambda items, other: _among(items, other, False),
        "IEnumerable<T> Reverse()": lambda items: list(items)[::-1],
        "IEnumerable<R> Zip<S,R>(IEnumerable<S>, Func<T,S,R>)": lambda items, other, of: [
            of(one, two) for one, two in zip(items, other, strict=False)
        ],
        "IOrderedEnumerable<T> OrderBy<K>(Func<T,K>)": _ordered,
        "IOrderedEnumerable<T> OrderByDescending<K>(Func<T,K>)": lambda items, key: _ordered(items, key, -1),
        "IEnumerable<IGrouping<K,T>> GroupBy<K>(Func<T,K>)": _groups,
        "IEnumerable<IGrouping<K,E>> GroupBy<K,E>(Func<T,K>, Func<T,E>)": _groups,
        "T Aggregate(Func<T,T,T>)": _reduced,
        "A Aggregate<A>(A, Func<A,T,A>)": _folded,
        "T Min()": lambda items: _extreme(items, -1),
        "T Max()": lambda items: _extreme(items, 1),
        "R Min<R>(Func<T,R>)": lambda items, of: _extreme(items, -1, of),
        "R Max<R>(Func<T,R>)": lambda items, of: _extreme(items, 1, of),
        "bool SequenceEqual(IEnumerable<T>)": lambda items, other: list(items) == list(other),
        "IEnumerable<T> DefaultIfEmpty()": lambda items: list(items) or [None],
        "IEnumerable<T> DefaultIfEmpty(T)": lambda items, other: list(items) or [other],
        "T[] ToArray()": lambda items: items[:] if isinstance(items, bytes | bytearray) else list(items),
        "List<T> ToList()": list,
        "IEnumerable<T> AsEnumerable()": list,
        "HashSet<T> ToHashSet()": HashSet.fromkeys,
        "IEnumerable<R> Cast<R>()": list,
        "IEnumerable<R> OfType<R>(type)": _of_type,
        "Dictionary<K,T> ToDictionary<K>(Func<T,K>)": _to_dictionary,
        "Dictionary<K,V> ToDictionary<K,V>(Func<T,K>, Func<T,V>)": _to_dictionary,
        "Dictionary<K,V> ToDictionary<K,V>(Func<T,K>, Func<T,V>, StringComparer)": _to_dictionary,
    },
)


declare("IOrderedEnumerable<T>", {"IOrderedEnumerable<T> ThenBy<K>(Func<T,K>)": _then})
declare("IOrderedEnumerable<T>", {"IOrderedEnumerable<T> ThenByDescending<K>(Func<T,K>)": lambda i, k: _then(i, k, -1)})
declare("IGrouping<K,T>", {"K Key": lambda group: group.key})
for _type in NUMBERS:
    if _type in {"byte", "short"}:
        continue
    _average = "decimal" if _type == "decimal" else "double"
    declare(
        "IEnumerable<T>",
        {
            f"{_type} Sum(Func<T,{_type}>)": lambda items, of: sum(of(item) for item in items),
            f"{_average} Average(Func<T,{_type}>)": lambda items, of: _mean([of(item) for item in items]),
        },
    )
declare("IEnumerable<T>", {"T Sum()": sum, "double Average()": lambda items: _mean(list(items))})
declare(
    "Enumerable",
    {
        "static IEnumerable<int> Range(int, int)": _range,
        "static IEnumerable<T> Repeat<T>(T, int)": lambda item, count: [item] * bounded(count),
        "static IEnumerable<T> Empty<T>()": list,
    },
)
