"""Strict JSON: read as it was sent, every digit.

Duplicate keys, lone surrogates, numbers out of range and deep nesting are refused with a reason, never mended.
"""

import json
from collections import Counter
from typing import Any

import orjson

from dualsink.events.model import Reason, Refused, field_name

MAX_DEPTH = 64
"""Deepest nesting of objects and arrays that is accepted."""
_WHITESPACE = b" \t\n\r"


class Number:
    """JSON number that int64 or float64 would change.

    Kept as the text that was sent.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Number({self.text})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def dump_json(value: Any) -> bytes:
    """Compact JSON; a `Number` is written as it was sent."""
    return orjson.dumps(value, default=_number_fragment)


def _number_fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)


def read_json(raw: bytes) -> Any:
    """Parse one JSON document and lose nothing of it.

    orjson decides what is valid (RFC 8259, UTF-8, no lone surrogates, finite numbers). It keeps the last of
    two equal keys and rounds numbers in silence, so its result is used only where it is proved to be whole;
    otherwise the standard library reads the document again, with a check of every object and number.
    Raises Refused (invalid_utf8, invalid_unicode, invalid_json, duplicate_key, too_deep, number_out_of_range).
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _why_invalid(raw) from None
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        check_depth(value)
    compact = orjson.dumps(value)
    if compact == raw or _is_compact(compact, raw) or _is_whole(value, raw):
        return value
    return _read_carefully(raw.decode())


def _is_compact(compact: bytes, raw: bytes) -> bool:
    """Return whether a text is compact but for blanks.

    It and the compact JSON of its value differ in blanks alone. No token but a string holds a blank, so up to the first
    difference both texts have the same tokens: there is none that a dropped key or a changed number could begin.
    """
    return compact.translate(None, _WHITESPACE) == raw.translate(None, _WHITESPACE)


def _is_whole(value: Any, raw: bytes) -> bool:
    """Return whether no key was dropped and no number changed.

    Every quote of the text is in the parsed tree. A string token costs two quotes, and a dropped key is at least one
    token, so the count of quotes in the text then exceeds that of the tree. Only the escape `u0022` makes a quote of no
    quote: it is left to the careful way.
    """
    if b"\\u0022" in raw:
        return False
    quotes = _count_quotes(value)
    return quotes is not None and quotes == raw.count(b'"')


def _count_quotes(value: Any) -> int | None:
    """Count the quotes that a tree's strings need in JSON.

    None if a float hides how it was written.
    """
    quotes = 0
    pending = [value]
    while pending:
        node = pending.pop()
        kind = type(node)
        if kind is str:
            quotes += 2 + node.count('"')
        elif kind is dict:
            quotes += 2 * len(node) + "".join(node).count('"')
            pending.extend(node.values())
        elif kind is list:
            pending.extend(node)
        elif kind is float:
            return None
    return quotes


def check_depth(value: Any) -> None:
    """Raise Refused(too_deep) where objects and arrays nest deeper than MAX_DEPTH."""
    level, depth = [value] if type(value) in _CONTAINERS else [], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Refused(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) in _CONTAINERS
        ]


_CONTAINERS = (dict, list)


def read_exactly(text: str | bytes) -> Any:
    """Parse JSON that is known to be valid.

    `dump_json` writes every number of it as it was.
    """
    return json.loads(text, parse_int=_exact_int, parse_float=_exact_float)


def _read_carefully(text: str) -> Any:
    return json.loads(
        text, object_pairs_hook=_unique, parse_int=_exact_int, parse_float=_exact_float, parse_constant=_no_constant
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        double = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise Refused(Reason.DUPLICATE_KEY, f"the key {field_name(double)} stands twice in one object")
    return found


def _exact_int(text: str) -> int | Number:
    value = int(text) if len(text) <= 20 else None
    return value if value is not None and -(2**63) <= value < 2**63 and str(value) == text else Number(text)


def _exact_float(text: str) -> float | Number:
    value = float(text)
    return value if orjson.dumps(value) == text.encode() else Number(text)


def _no_constant(text: str) -> Any:
    raise Refused(Reason.INVALID_JSON, f"{text} is no JSON value")


def _why_invalid(raw: bytes) -> Refused:
    """Return the reason for which orjson refused a document."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return Refused(Reason.INVALID_UTF8, f"invalid UTF-8 at byte {error.start} of {len(raw)}")
    try:
        value = _read_carefully(text)
    except Refused as refused:
        return refused
    except RecursionError:
        return Refused(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
    except json.JSONDecodeError as error:
        return Refused(Reason.INVALID_JSON, f"{error.msg} at character {error.pos} of {len(text)}")
    return _why_only_orjson_refuses(value)


def _why_only_orjson_refuses(value: Any) -> Refused:
    try:
        check_depth(value)
        json.dumps(value, ensure_ascii=False, default=_finite).encode("utf-8")
    except UnicodeEncodeError:
        return Refused(Reason.INVALID_UNICODE, "an escape names half of a surrogate pair")
    except Refused as refused:
        return refused
    return Refused(Reason.INVALID_JSON, "not valid JSON")


def _finite(number: Number) -> None:
    if len(number.text) > 300 or abs(float(number.text)) == float("inf"):
        raise Refused(Reason.NUMBER_OUT_OF_RANGE, "a number is beyond the range of a 64-bit float")
