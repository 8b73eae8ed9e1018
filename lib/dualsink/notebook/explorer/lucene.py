"""Lucene query strings for the archive, as DuckDB conditions.

OpenSearch is asked with the query DSL (`dsl`); the archive with the condition that finds the same events. What has no
faithful translation is refused by name instead of being answered otherwise.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from luqum.tree import From, Item, Phrase, Range, To, Word

from dualsink.errors import SettingsError
from dualsink.notebook.explorer import grammar
from dualsink.notebook.explorer.grammar import FIELDS, KINDS, Grammar, is_field, text_of, wildcard
from dualsink.timeline import moment

_MOST_DOTS = 8
_OTHER = r"[^\p{L}\p{N}_]"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MATH = re.compile(r"now((?:[+-]\d+[smhdw])*)(?:/([hd]))?")
_LETTERS = re.compile(r"[^_\W]*")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class Condition:
    """DuckDB condition with its values and columns.

    Values are `$p0`, `$p1`, …; the columns are those that it reads.
    """

    sql: str
    values: dict[str, Any] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)


def condition(text: str, now: datetime | None = None) -> Condition:
    """Return the condition for what `dsl.query(text)` would find.

    Rows of the archive; `now` (UTC) is what the text calls so. Raises SettingsError for a text that is no query string,
    and naming what the archive cannot be asked.
    """
    if not text.strip():
        return Condition("TRUE")
    tree = grammar.parse(text)
    writer = _Writer(now or datetime.now(UTC))
    return Condition(writer.write(tree), writer.values, writer.columns)


def _kind(name: str) -> str:
    """Return the mapping's type of a field.

    Raises SettingsError listing the known ones.
    """
    if not is_field(name):
        raise SettingsError(f"There is no field {name}. Fields: {FIELDS}.")
    return KINDS[name.partition(".")[0]]


class _Writer(Grammar[str]):
    """Writes one tree; collects values and columns."""

    def __init__(self, now: datetime):
        self.now = now
        self.values: dict[str, Any] = {}
        self.columns: set[str] = set()

    def all(self, parts: list[str]) -> str:
        return f"({' AND '.join(parts)})" if parts else "TRUE"

    def any(self, parts: list[str]) -> str:
        return f"({' OR '.join(parts)})"

    def none(self, part: str) -> str:
        return f"NOT ({part})"

    def exists(self, name: str) -> str:
        column = self._column(name)
        if "." not in name:
            return f"({column} IS NOT NULL)"
        held = (f"json_extract_string({column}, {self._value(path)}) IS NOT NULL" for path in _paths(name))
        return f"({' OR '.join(held)})"

    def anywhere(self, node: Word | Phrase) -> str:
        texts = [self.leaf(node, name) for name in grammar.TEXTS]
        patterns = grammar.name_patterns(node)
        names = [
            self.all([self._named(name, each, node.value) for each in patterns]) for name in grammar.NAMES if patterns
        ]
        exact = isinstance(node, Phrase) or not node.has_wildcard()
        return self.any([*texts, *names, *([self._valued(text_of(node))] if exact else [])])

    def other(self, node: Item, name: str) -> str:
        raise SettingsError(f"The archive cannot be asked for {node} ({type(node).__name__.lower()}); OpenSearch can.")

    def _column(self, name: str) -> str:
        _kind(name)
        top = name.partition(".")[0]
        self.columns.add(top)
        return f'"{top}"'

    # -- leaves --------------------------------------------------------------------------------------

    def leaf(self, node: Item, name: str) -> str:
        name = name.replace("\\", "")
        column, kind = self._column(name), _kind(name)
        if isinstance(node, Range | From | To):
            found = self._range(node, column, kind)
        elif isinstance(node, Word) and node.value == "*":
            found = self.exists(name)
        elif kind == "text":
            found = self._text(node, column)
        elif kind in ("date", "date_nanos"):
            found = self._moments(text_of(node), text_of(node), True, True, column)
        elif kind in ("integer", "long"):
            found = f"{column} = {self._value(_number(text_of(node)))}"
        else:
            found = self._exact(node, column, name)
        return f"coalesce({found}, FALSE)"

    def _text(self, node: Item, column: str) -> str:
        """Match words of analysed text.

        A phrase is words side by side, a word with punctuation in it is several words.
        """
        if isinstance(node, Word) and node.has_wildcard():
            return self._matches(column, wildcard(node.value.lower(), r"[\p{L}\p{N}_]"), node.value)
        words = re.findall(r"\w+", text_of(node).lower())
        if not words:
            return "FALSE"
        if isinstance(node, Phrase):
            return self._matches(column, f"{_OTHER}+".join(map(re.escape, words)), " ".join(words))
        return " AND ".join(self._matches(column, re.escape(word), word) for word in words)

    def _matches(self, column: str, pattern: str, text: str) -> str:
        expression = self._value(f"(^|{_OTHER})({pattern})($|{_OTHER})")
        return self._if_held(column, text, f"regexp_matches(lower({column}), {expression})")

    def _if_held(self, column: str, text: str, condition: str) -> str:
        """Ask only rows that hold the text's longest word.

        Looking for letters costs a third of an expression and mostly decides.
        """
        longest = max(_LETTERS.findall(text.lower()), key=len)
        held = f"contains(lower({column}), {self._value(longest)})"
        return f"CASE WHEN {held} THEN {condition} ELSE FALSE END"

    def _named(self, name: str, pattern: str, text: str) -> str:
        """Match a whole name, in any case."""
        column = self._column(name)
        matches = f"regexp_full_match(lower({column}), {self._value(pattern.lower())}, 's')"
        return self._if_held(column, text, matches)

    def _valued(self, text: str) -> str:
        """Match an attribute's whole value.

        The attribute may be at any depth, the value in any case.
        """
        column = self._column("attributes")
        values = f"list_contains(json_extract_string(lower({column}), '$.**'), {self._value(text.lower())})"
        ascii_part = "".join(sign if sign.isascii() else " " for sign in text)  # JSON may write others as escapes.
        return self._if_held(column, ascii_part, f"coalesce({values}, FALSE)")

    def _exact(self, node: Item, column: str, name: str) -> str:
        """Match keywords and attributes exactly, or by pattern.

        A pattern must match the whole value.
        """
        paths = _paths(name) if column == '"attributes"' else []
        values = [f"json_extract_string({column}, {self._value(path)})" for path in paths] or [column]
        if isinstance(node, Word) and node.has_wildcard():
            pattern = self._value(wildcard(node.value, "."))
            return f"({' OR '.join(f'regexp_full_match({v}, {pattern}, {chr(39)}s{chr(39)})' for v in values)})"
        wanted = self._value(text_of(node))
        items = (f"json_extract_string({column}, {self._value(f'{path}[*]')})" for path in paths)
        found = [f"{value} = {wanted}" for value in values] + [f"list_contains({each}, {wanted})" for each in items]
        return f"({' OR '.join(f'coalesce({each}, FALSE)' for each in found)})"

    def _range(self, node: Item, column: str, kind: str) -> str:
        low, high, with_low, with_high = _bounds(node)
        if kind in ("date", "date_nanos"):
            return self._moments(low, high, with_low, with_high, column)
        if kind in ("text", "flat_object"):
            raise SettingsError(f"A range of words in {column} cannot be asked of the archive; OpenSearch can.")
        convert = _number if kind in ("integer", "long") else str
        parts = [f"{column} >{'=' * with_low} {self._value(convert(low))}"] if low else []
        parts += [f"{column} <{'=' * with_high} {self._value(convert(high))}"] if high else []
        return " AND ".join(parts) or f"{column} IS NOT NULL"

    def _moments(self, low: str | None, high: str | None, with_low: bool, with_high: bool, column: str) -> str:
        """Match a range of time.

        A bound that names a whole day or hour means all of it, as in OpenSearch.
        """
        parts = []
        if low:
            first, end = self._span(low)
            parts.append(f"{column} >= {self._value(first if with_low else end)}")
        if high:
            first, end = self._span(high)
            # A bound of a single instant includes just that instant.
            parts.append(f"{column} < {self._value(end if with_high else first)}")
        return " AND ".join(parts) or f"{column} IS NOT NULL"

    def _span(self, text: str) -> tuple[datetime, datetime]:
        """Return the first instant of a bound, and its end."""
        if math := _MATH.fullmatch(text):
            instant = self.now
            for sign, number, unit in re.findall(r"([+-])(\d+)([smhdw])", math[1]):
                instant += timedelta(**{_UNITS[unit]: int(sign + number)})
            if math[2] is None:
                return instant, instant + timedelta(microseconds=1)
            first = instant.replace(minute=0, second=0, microsecond=0, **({"hour": 0} if math[2] == "d" else {}))
            return first, first + timedelta(**{_UNITS[math[2]]: 1})
        try:
            first = moment(text)
        except ValueError:
            raise SettingsError(
                f"Cannot read the time {text}: write 2026-11-23, 2026-11-23T10:00:00Z or now-1h."
            ) from None
        return first, first + (timedelta(days=1) if _DAY.fullmatch(text) else timedelta(microseconds=1))

    def _value(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def _bounds(node: Item) -> tuple[str | None, str | None, bool, bool]:
    """Return both bounds of a range, and their inclusion.

    A bound is None if open.
    """
    if isinstance(node, Range):
        low, high = text_of(node.low), text_of(node.high)
        return None if low == "*" else low, None if high == "*" else high, node.include_low, node.include_high
    bound = text_of(node.children[0])
    if isinstance(node, From):
        return bound, None, node.include, True
    return None, bound, True, node.include


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{text} is not a whole number.") from None


def _paths(name: str) -> list[str]:
    """Return the JSON paths of `attributes.a.b`.

    One key `a.b`, or `b` within `a`: each dot may stand in a key or between two.
    """
    key = name.partition(".")[2]
    if not key or '"' in key or key.count(".") > _MOST_DOTS:
        raise SettingsError("Name the attribute: attributes.NAME:value.")
    first, *rest = key.split(".")
    ways = [f'"{first}']
    for part in rest:
        ways = [way + joint + part for way in ways for joint in (".", '"."')]
    return [f'$.{way}"' for way in ways]
