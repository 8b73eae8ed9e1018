"""Lucene's query string for the archive: what people type into a search box, as a DuckDB condition.

OpenSearch runs the text itself (`query`); the archive is asked with the condition that finds the same events
(`condition`). What has no faithful translation is refused by name instead of being answered otherwise.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from luqum.exceptions import ParseError
from luqum.parser import parser
from luqum.tree import (
    AndOperation,
    Boost,
    FieldGroup,
    From,
    Group,
    Item,
    Not,
    OrOperation,
    Phrase,
    Plus,
    Prohibit,
    Range,
    SearchField,
    To,
    UnknownOperation,
    Word,
)

from dualsink.errors import SettingsError
from dualsink.search import MAPPING
from dualsink.timeline import moment

DEFAULT_FIELDS = ("message", "stack_trace")
_KINDS = {name: kind["type"] for name, kind in MAPPING["properties"].items()}
_OTHER = r"[^\p{L}\p{N}_]"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MATH = re.compile(r"now((?:[+-]\d+[smhdw])*)(?:/([hd]))?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def query(text: str) -> dict[str, Any]:
    """The query DSL that has OpenSearch search for `text` in message and stack trace; words are joined by AND."""
    if not text.strip():
        return {"match_all": {}}
    options = {"default_operator": "AND", "allow_leading_wildcard": False}
    return {"query_string": {"query": text, "fields": list(DEFAULT_FIELDS), **options}}


@dataclass
class Condition:
    """A DuckDB condition with `$p0`, `$p1`, ... for its values, and the columns that it reads."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)


def condition(text: str, now: datetime | None = None) -> Condition:
    """The condition for rows of the archive that `query(text)` would find. `now` (UTC) is what the text calls so.

    Raises SettingsError for a text that is no query string, and naming what the archive cannot be asked.
    """
    if not text.strip():
        return Condition("TRUE")
    try:
        tree = parser.parse(text)
    except ParseError as error:
        raise SettingsError(f"This is not a query string: {str(error).rstrip('!.')}.") from None
    writer = _Writer(now or datetime.now(UTC))
    return Condition(writer.write(tree), writer.values, writer.columns)


def check_fields(text: str) -> None:
    """Raise SettingsError for a field that no event has: OpenSearch would just find nothing.

    A text that is no query string is left to OpenSearch, whose message says where it went wrong.
    """
    try:
        tree = parser.parse(text) if text.strip() else None
    except ParseError:
        return
    waiting = [tree] if tree else []
    while waiting:
        node = waiting.pop()
        waiting += node.children
        if isinstance(node, SearchField) and node.name != "_exists_":
            _kind(node.name.replace("\\", ""))


def _kind(name: str) -> str:
    """The mapping's type of a field. Raises SettingsError listing the known ones."""
    top, _, key = name.partition(".")
    if top not in _KINDS or (key and _KINDS[top] != "flat_object"):
        raise SettingsError(f"There is no field {name}. Fields: {', '.join(_KINDS)}; attributes.NAME.")
    return _KINDS[top]


class _Writer:
    """Writes one tree; collects values and columns."""

    def __init__(self, now: datetime):
        self.now = now
        self.values: dict[str, Any] = {}
        self.columns: set[str] = set()

    def write(self, node: Item, name: str = "") -> str:
        """The condition of a node; `name` is the field it is asked of, empty for the default ones."""
        match node:
            case SearchField():
                return self._field(node)
            case Group() | FieldGroup() | Boost():
                return self.write(node.children[0], name)
            case Not() | Prohibit():
                return f"NOT ({self.write(node.children[0], name)})"
            case Plus():
                return self.write(node.children[0], name)
            case AndOperation():
                return self._joined("AND", node.children, name)
            case OrOperation():
                return self._either(node, name)
            case UnknownOperation():
                return self._joined("AND", node.children, name, together=True)
            case Word() | Phrase() | Range() | From() | To():
                return self._leaves([node], name)
        raise SettingsError(f"The archive cannot be asked for {node} ({type(node).__name__.lower()}); OpenSearch can.")

    def _field(self, node: SearchField) -> str:
        name = node.name.replace("\\", "")
        if name == "_exists_":
            return f"({self._column(str(node.expr).strip())} IS NOT NULL)"
        self._column(name)
        return self.write(node.expr, name)

    def _column(self, name: str) -> str:
        _kind(name)
        top = name.partition(".")[0]
        self.columns.add(top)
        return f'"{top}"'

    def _joined(self, operator: str, nodes: tuple[Item, ...], name: str, together: bool = False) -> str:
        """Parts joined as Lucene joins them: what is excluded is excluded whatever the operator."""
        excluded = [self.write(n, name) for n in nodes if isinstance(n, Not | Prohibit)]
        wanted = [n for n in nodes if not isinstance(n, Not | Prohibit)]
        if any(isinstance(n, AndOperation | OrOperation) for n in wanted):
            raise SettingsError("AND and OR side by side mean different things to different readers: set brackets.")
        parts = [self._leaves(run, name) for run in _runs(wanted)] if together else []
        parts = parts or [self.write(n, name) for n in wanted]
        found = [f"({f' {operator} '.join(parts)})"] if parts else []
        return f"({' AND '.join(found + excluded)})"

    def _either(self, node: OrOperation, name: str) -> str:
        if any(isinstance(child, Plus) for child in node.children):
            raise SettingsError("`+` beside OR makes the other parts optional: set brackets instead.")
        return self._joined("OR", node.children, name)

    # -- leaves --------------------------------------------------------------------------------------

    def _leaves(self, nodes: list[Item], name: str) -> str:
        """Words that stand side by side, all in one field: in any of the default ones where none is named."""
        if len(nodes) == 1 and not isinstance(nodes[0], Word | Phrase | Range | From | To):
            return self.write(nodes[0], name)
        names = [name] if name else DEFAULT_FIELDS
        return f"({' OR '.join(' AND '.join(self._leaf(node, each) for node in nodes) for each in names)})"

    def _leaf(self, node: Item, name: str) -> str:
        column, kind = self._column(name), _kind(name)
        if isinstance(node, Range | From | To):
            found = self._range(node, column, kind)
        elif isinstance(node, Word) and node.value == "*":
            found = f"{column} IS NOT NULL"
        elif kind == "text":
            found = self._text(node, column)
        elif kind in ("date", "date_nanos"):
            found = self._moments(_text_of(node), _text_of(node), True, True, column)
        elif kind in ("integer", "long"):
            found = f"{column} = {self._value(_number(_text_of(node)))}"
        else:
            found = self._exact(node, column, name)
        return f"coalesce({found}, FALSE)"

    def _text(self, node: Item, column: str) -> str:
        """Words of analysed text: a phrase is words side by side, a word with punctuation in it is several words."""
        if isinstance(node, Word) and node.has_wildcard():
            return self._matches(column, _wildcard(node.value.lower(), r"[\p{L}\p{N}_]"))
        words = re.findall(r"\w+", _text_of(node).lower())
        if not words:
            return "FALSE"
        if isinstance(node, Phrase):
            return self._matches(column, f"{_OTHER}+".join(map(re.escape, words)))
        return " AND ".join(self._matches(column, re.escape(word)) for word in words)

    def _matches(self, column: str, pattern: str) -> str:
        return f"regexp_matches(lower({column}), {self._value(f'(^|{_OTHER})({pattern})($|{_OTHER})')})"

    def _exact(self, node: Item, column: str, name: str) -> str:
        """Keywords and attributes: the value as it stands, or a pattern of all of it."""
        values = [column]
        if column == '"attributes"':
            values = [f"json_extract_string({column}, {self._value(path)})" for path in _paths(name)]
        if isinstance(node, Word) and node.has_wildcard():
            pattern = self._value(_wildcard(node.value, "."))
            return f"({' OR '.join(f'regexp_full_match({v}, {pattern}, {chr(39)}s{chr(39)})' for v in values)})"
        wanted = self._value(_text_of(node))
        return f"({' OR '.join(f'coalesce({v} = {wanted}, FALSE)' for v in values)})"

    def _range(self, node: Item, column: str, kind: str) -> str:
        low, high, with_low, with_high = _bounds(node)
        if kind in ("date", "date_nanos"):
            return self._moments(low, high, with_low, with_high, column)
        if kind == "text":
            raise SettingsError(f"A range of words in {column} cannot be asked of the archive; OpenSearch can.")
        convert = _number if kind in ("integer", "long") else str
        parts = [f"{column} >{'=' * with_low} {self._value(convert(low))}"] if low else []
        parts += [f"{column} <{'=' * with_high} {self._value(convert(high))}"] if high else []
        return " AND ".join(parts) or f"{column} IS NOT NULL"

    def _moments(self, low: str | None, high: str | None, with_low: bool, with_high: bool, column: str) -> str:
        """A range of time; a bound that names a whole day or hour means all of it, as in OpenSearch."""
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
        """First instant that a bound names, and the first after it."""
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


def _runs(nodes: list[Item]) -> list[list[Item]]:
    """Neighbouring plain words together: OpenSearch gives them to each field's analyser as one text."""
    runs: list[list[Item]] = []
    plain_before = False
    for node in nodes:
        plain = isinstance(node, Word) and not node.has_wildcard()
        if plain and plain_before:
            runs[-1].append(node)
        else:
            runs.append([node])
        plain_before = plain
    return runs


def _text_of(node: Item) -> str:
    """A word or phrase without quotes and escapes."""
    text = node.value[1:-1] if isinstance(node, Phrase) else node.value
    return re.sub(r"\\(.)", r"\1", text)


def _bounds(node: Item) -> tuple[str | None, str | None, bool, bool]:
    """Low and high bound (None where open), and whether each belongs to the range."""
    if isinstance(node, Range):
        low, high = _text_of(node.low), _text_of(node.high)
        return None if low == "*" else low, None if high == "*" else high, node.include_low, node.include_high
    bound = _text_of(node.children[0])
    if isinstance(node, From):
        return bound, None, node.include, True
    return None, bound, True, node.include


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{text} is not a whole number.") from None


def _wildcard(text: str, character: str) -> str:
    """The regular expression of a pattern with `*` and `?`."""
    pieces = {"*": f"{character}*", "?": character}
    return "".join(pieces.get(part) or re.escape(part.replace("\\", "")) for part in re.findall(r"\\.|.", text, re.S))


def _paths(name: str) -> list[str]:
    """JSON paths of `attributes.a.b`: one key `a.b`, or `b` within `a`."""
    key = name.split(".", 1)[1] if "." in name else ""
    if not key:
        raise SettingsError("Name the attribute: attributes.NAME:value.")
    quoted = [f'"{part}"' for part in key.split(".")]
    return [f'$."{key}"', f"$.{'.'.join(quoted)}"]
