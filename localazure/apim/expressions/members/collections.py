"""Arrays, List, Dictionary, HashSet, Queue, Stack, KeyValuePair, Tuple."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localazure.apim.expressions.casting import HashSet
from localazure.apim.expressions.failures import bounded, throw
from localazure.apim.expressions.table import declare, index
from localazure.apim.expressions.types import derive
from localazure.apim.expressions.values import Pair


class Dictionary(dict[Any, Any]):
    """Values by key; texts in any case where the comparer says so."""

    def __init__(self, content: Iterable[Any] = (), comparer: str = "") -> None:
        super().__init__(content)
        self.any_case = comparer == "IgnoreCase"

    def key(self, key: Any) -> Any:
        if key is None:
            throw("ArgumentNullException", "Value cannot be null.")
        if self.any_case and isinstance(key, str):
            return next((held for held in self if held.lower() == key.lower()), key)
        return key


def at(items: Any, position: int) -> Any:
    if not 0 <= position < len(items):
        throw("IndexOutOfRangeException", "Index was outside the bounds of the array")
    return items[position]


def _set(items: Any, position: int, value: Any) -> None:
    at(items, position)
    items[position] = value


def present(held: Any, key: Any) -> Any:
    real = held.key(key) if isinstance(held, Dictionary) else key
    if real not in held:
        throw("KeyNotFoundException", f"The given key '{key}' was not present in the dictionary")
    return held[real]


def pairs(held: dict[Any, Any]) -> list[Pair]:
    return [Pair(key, value) for key, value in held.items()]


def _add(held: Any, key: Any, value: Any) -> None:
    if held.key(key) in held:
        throw("ArgumentException", "An item with the same key has already been added.")
    held[key] = value


def _try(held: Any, key: Any) -> tuple[bool, Any]:
    real = held.key(key) if isinstance(held, Dictionary) else key
    return real in held, held.get(real)


def _removed(held: Any, key: Any) -> bool:
    real = held.key(key) if isinstance(held, Dictionary) else key
    if real not in held:
        return False
    del held[real]
    return True


def _discard(items: list[Any], value: Any) -> bool:
    if value in items:
        items.remove(value)
        return True
    return False


def _remove_all(items: list[Any], test: Any) -> int:
    kept = [item for item in items if not test(item)]
    count = len(items) - len(kept)
    items[:] = kept
    return count


def _find(items: Any, test: Any) -> int:
    return next((number for number, item in enumerate(items) if test(item)), -1)


def _position(items: Any, value: Any) -> int:
    return next((number for number, item in enumerate(items) if item == value), -1)


def _extended(items: list[Any], more: Iterable[Any]) -> None:
    added = list(more)
    bounded(len(items) + len(added))
    items += added


def copy(source: Any, start: int, target: Any, into: int, count: int) -> None:
    """Array.Copy."""
    if min(start, into, count) < 0 or start + count > len(source) or into + count > len(target):
        throw("ArgumentException", "Source array was not long enough. Check the indexes and lengths.")
    target[into : into + count] = source[start : start + count]


derive("Dictionary<K,V>", "IDictionary<K,V>")
derive("IDictionary<K,V>", "IReadOnlyDictionary<K,V>")
derive("IReadOnlyDictionary<K,V>", "IEnumerable<KeyValuePair<K,V>>", by=pairs)
derive("HashSet<T>", "ISet<T>", by=list)
derive("ISet<T>", "IEnumerable<T>")
derive("Queue<T>", "IEnumerable<T>")
derive("Stack<T>", "IEnumerable<T>", by=lambda items: items[::-1])
derive("KeyValuePair<K,V>")
for _type in ("IReadOnlyDictionary", "IDictionary", "Dictionary"):
    index(
        f"{_type}<K,V>",
        "K",
        "V",
        present,
        None if _type[1] == "R" else lambda held, key, value: held.__setitem__(held.key(key), value),
    )
declare(
    "IReadOnlyDictionary<K,V>",
    {
        "bool ContainsKey(K)": lambda held, key: (held.key(key) if isinstance(held, Dictionary) else key) in held,
        "bool TryGetValue(K, out V)": _try,
        "int Count": len,
        "IEnumerable<K> Keys": list,
        "IEnumerable<V> Values": lambda held: list(held.values()),
        "V GetValueOrDefault(K)": lambda held, key: _try(held, key)[1],
        "V GetValueOrDefault(K, V)": lambda held, key, other: _try(held, key)[1] if _try(held, key)[0] else other,
    },
)
declare(
    "IDictionary<K,V>",
    {
        "void Add(K, V)": _add,
        "bool Remove(K)": _removed,
        "void Clear()": dict.clear,
    },
)
declare(
    "Dictionary<K,V>",
    {
        "static Dictionary<K,V> new<K,V>()": Dictionary,
        "static Dictionary<K,V> new<K,V>(int)": lambda _: Dictionary(),
        "static Dictionary<K,V> new<K,V>(StringComparer)": lambda comparer: Dictionary((), comparer),
        "static Dictionary<K,V> new<K,V>(IReadOnlyDictionary<K,V>)": Dictionary,
        "bool ContainsValue(V)": lambda held, value: value in held.values(),
    },
)
declare("KeyValuePair<K,V>", {"K Key": lambda pair: pair.key, "V Value": lambda pair: pair.value})
declare("KeyValuePair<K,V>", {"static KeyValuePair<K,V> new<K,V>(K, V)": Pair})
for _type in ("IReadOnlyList", "IList", "List", "[]"):
    _owner = "T[]" if _type == "[]" else f"{_type}<T>"
    index(_owner, "int", "T", at, None if _type == "IReadOnlyList" else _set)
declare(
    "T[]",
    {
        "int Length": len,
        "object Clone()": lambda items: items[:],
        "int GetLength(int)": lambda items, _: len(items),
        "void CopyTo(T[], int)": lambda items, target, into: copy(items, 0, target, into, len(items)),
    },
)
declare("IReadOnlyCollection<T>", {"int Count": len})
declare(
    "List<T>",
    {
        "static List<T> new<T>()": list,
        "static List<T> new<T>(int)": lambda _: [],
        "static List<T> new<T>(IEnumerable<T>)": list,
        "void Add(T)": lambda items, item: items.append(item),
        "void AddRange(IEnumerable<T>)": _extended,
        "void Insert(int, T)": lambda items, position, item: items.insert(position, item),
        "bool Remove(T)": _discard,
        "void RemoveAt(int)": lambda items, position: items.__delitem__(_checked(items, position)),
        "int RemoveAll(Predicate<T>)": _remove_all,
        "void Clear()": list.clear,
        "bool Exists(Predicate<T>)": lambda items, test: _find(items, test) >= 0,
        "T Find(Predicate<T>)": lambda items, test: next((item for item in items if test(item)), None),
        "List<T> FindAll(Predicate<T>)": lambda items, test: [item for item in items if test(item)],
        "int FindIndex(Predicate<T>)": _find,
        "bool TrueForAll(Predicate<T>)": lambda items, test: all(test(item) for item in items),
        "void ForEach(Action<T>)": lambda items, act: [act(item) for item in list(items)] and None,
        "int IndexOf(T)": _position,
        "void Sort()": lambda items: items.sort(),
        "void Reverse()": list.reverse,
        "List<T> GetRange(int, int)": lambda items, start, count: items[start : start + count],
    },
)
declare("ICollection<T>", {"void Add(T)": lambda items, item: items.append(item)})


def _checked(items: Any, position: int) -> int:
    at(items, position)
    return position


declare(
    "HashSet<T>",
    {
        "static HashSet<T> new<T>()": HashSet,
        "static HashSet<T> new<T>(IEnumerable<T>)": HashSet.fromkeys,
        "static HashSet<T> new<T>(StringComparer)": lambda comparer: AnyCase() if comparer else HashSet(),
        "static HashSet<T> new<T>(IEnumerable<T>, StringComparer)": lambda items, comparer: (
            AnyCase.fromkeys(items) if comparer else HashSet.fromkeys(items)
        ),
        "bool Add(T)": lambda held, item: item not in held and held.setdefault(item) is None,
        "bool Contains(T)": lambda held, item: item in held,
        "bool Remove(T)": lambda held, item: item in held and held.pop(item) is None,
        "void Clear()": dict.clear,
        "int Count": len,
    },
)


class AnyCase(HashSet):
    """A set of texts whose case does not count."""

    def __contains__(self, item: object) -> bool:
        return isinstance(item, str) and any(held.lower() == item.lower() for held in self)


declare(
    "Queue<T>",
    {
        "static Queue<T> new<T>()": list,
        "void Enqueue(T)": lambda items, item: items.append(item),
        "T Dequeue()": lambda items: items.pop(0) if items else throw("InvalidOperationException", "Queue empty."),
        "T Peek()": lambda items: at(items, 0),
        "int Count": len,
    },
)
declare(
    "Stack<T>",
    {
        "static Stack<T> new<T>()": list,
        "void Push(T)": lambda items, item: items.append(item),
        "T Pop()": lambda items: items.pop() if items else throw("InvalidOperationException", "Stack empty."),
        "T Peek()": lambda items: at(items, len(items) - 1),
        "int Count": len,
    },
)
declare(
    "Array",
    {
        "static int IndexOf<T>(T[], T)": _position,
        "static bool Exists<T>(T[], Predicate<T>)": lambda items, test: _find(items, test) >= 0,
        "static T Find<T>(T[], Predicate<T>)": lambda items, test: next((item for item in items if test(item)), None),
        "static T[] FindAll<T>(T[], Predicate<T>)": lambda items, test: [item for item in items if test(item)],
        "static int FindIndex<T>(T[], Predicate<T>)": _find,
        "static R[] ConvertAll<T,R>(T[], Func<T,R>)": lambda items, of: [of(item) for item in items],
        "static bool TrueForAll<T>(T[], Predicate<T>)": lambda items, test: all(test(item) for item in items),
        "static void ForEach<T>(T[], Action<T>)": lambda items, act: [act(item) for item in items] and None,
        "static void Reverse<T>(T[])": lambda items: items.reverse(),
        "static void Sort<T>(T[])": lambda items: items.sort(),
        "static void Copy<T>(T[], T[], int)": lambda source, target, count: copy(source, 0, target, 0, count),
        "static void Copy<T>(T[], int, T[], int, int)": copy,
        "static T[] Empty<T>()": list,
    },
)
declare(
    "Buffer",
    {"static void BlockCopy(byte[], int, byte[], int, int)": copy},
)
derive("Tuple<K,V>")
declare("Tuple", {"static Tuple<K,V> Create<K,V>(K, V)": Pair})
declare("Tuple<K,V>", {"K Item1": lambda pair: pair.key, "V Item2": lambda pair: pair.value})
declare("Tuple<K,V>", {"static Tuple<K,V> new<K,V>(K, V)": Pair})
