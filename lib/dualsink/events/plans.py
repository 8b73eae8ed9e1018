"""Plans: which key feeds which field.

It is decided once for each set of keys and remembered.

Records of one logger have the same keys. A plan therefore belongs to a tree of key sets (the record's own and those of
the few objects whose members are candidates); a record costs a look-up of its plan and a read of its values (`fields`).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dualsink.events.catalogue import FORMATS, GENERAL
from dualsink.events.formats import FIELDS, PLACES, Format, Place, fold
from dualsink.events.readers import EXCEPTION_PARTS, reader_of

CANONICAL = frozenset(
    ("log_id", "timestamp", "level", "service", "host", "message", "stack_trace", "trace_id", "span_id")
)
_COMPLETE = frozenset(("timestamp", "level", "service", "message"))
"""Columns of a record that was read already: what bears another format's marks is an attribute."""
_COMPLETE_TEXTS = ("level", "service", "message")
MAX_PLANS = 4_096
"""Plans that are remembered; with one more all are forgotten, so keys that never repeat cost time, not memory."""
TEXTS = ("log_id", "stack_trace", "trace_id", "span_id", "host", "service")
"""Fields that are texts and taken alike."""
_ASKED = ("host", "servername")
"""Names under which a server's log of requests has the site that was asked."""
_SENT = ("body", "payload")
"""Names under which it has what a client sent, or was sent."""
_IN_QUESTION = frozenset(("log_id", "stack_trace", "trace_id", "span_id", "host", "service", "line", "json"))


class Candidate(NamedTuple):
    """Candidate key for a field.

    In which of the record's objects it is, how it is read, and what stays.
    """

    holder: int
    key: str
    read: Any  # unit of a time, scale of a level, else a function or None
    canonical: bool  # one of the archive's own names: an empty value says nothing, an object is an error
    stays: bool  # in the attributes as well


class Plan:
    """Plan: candidates of every field, in order of trial.

    It is that of records with the same keys.
    """

    __slots__ = (
        "formats",
        "default_level",
        "strict",
        "events",
        "otel",
        "line",
        "raw",
        "json",
        "inner",
        "envelope",
        "nested",
        "texts",
        *FIELDS,
    )

    def __init__(self) -> None:
        self.formats: tuple[Format, ...] = ()
        self.default_level: str | None = None
        self.strict = False
        self.events: str | None = None  # key of an array of events
        self.otel = False
        self.line: tuple[Candidate, ...] = ()
        self.raw: tuple[Candidate, ...] = ()
        self.json: tuple[Candidate, ...] = ()
        self.inner: tuple[tuple[int, int, str], ...] = ()  # object, its holder and key
        self.envelope = False  # whether a format has said that the record holds another
        self.nested: tuple[tuple[int, int, str], ...] = ()  # likewise, of objects that lose members, deepest first
        self.texts: tuple[tuple[str, int, str, Any, bool, tuple[Candidate, ...]], ...] = ()  # with the first's parts
        for name in FIELDS:
            setattr(self, name, ())

    if TYPE_CHECKING:  # the slots of FIELDS

        def __getattr__(self, name: str) -> tuple[Candidate, ...]: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


class _Node:
    """Node of the tree of key sets.

    The objects known so far, and which of their values the next step asks for.
    """

    __slots__ = ("layout", "inspect", "children", "plan")

    def __init__(self, layout: tuple["_Object", ...], inspect: tuple[tuple[int, str], ...]) -> None:
        self.layout = layout
        self.inspect = inspect
        self.children: dict[tuple, _Node] = {}
        self.plan: Plan | None = None


class _Object(NamedTuple):
    """Object of a record: folded path, raw path, keys.

    The folded path has a dot behind; None if it is no object.
    """

    prefix: str
    raw: str
    holder: int
    key: str
    keys: tuple[str, ...] | None
    kind: type


class Plans:
    """Plans of all key sets that were met.

    For a sequence of formats in order of preference.
    """

    def __init__(self, formats: Sequence[Format]) -> None:
        self._formats = tuple(formats)
        self._general = _index(GENERAL)
        self._of_complete = tuple(format for format in self._formats if format.strict or format not in FORMATS)
        self._own = {format.name: _index(format) for format in self._formats}
        self._parents = frozenset(_parents([GENERAL, *self._formats]))
        self._roots: dict[tuple[str, ...], _Node] = {}
        self._count = 0

    def are_neutral(self, keys: Iterable[str]) -> bool:
        """Return whether keys change nothing of a usual record.

        That is an OpenTelemetry record which has time, level, body and service.
        """
        indices = [self._general, *self._own.values()]
        fed = {name for key in keys for index in indices for name, _, _ in index.get(fold(key), ())}
        return fed.isdisjoint(_IN_QUESTION)

    def plan(self, record: dict[str, Any]) -> tuple[Plan, list[dict[str, Any]]]:
        """Return the plan of a record, and its objects.

        The objects are in the order in which the plan's candidates number them.
        """
        keys = tuple(record)
        node = self._roots.get(keys)
        if node is None:
            node = self._root(keys)
        objects = [record]
        while node.inspect:
            signature = []
            for holder, key in node.inspect:
                value = objects[holder][key]
                kind = type(value)
                objects.append(value)
                signature.append(tuple(value) if kind is dict else kind)
            step = tuple(signature)
            node = node.children.get(step) or self._child(node, step)
        return node.plan, objects  # type: ignore[return-value]  # a leaf has its plan

    def _root(self, keys: tuple[str, ...]) -> _Node:
        self._count += 1
        if self._count > MAX_PLANS:
            self._roots.clear()
            self._count = 1
        node = self._roots[keys] = self._node((_Object("", "", 0, "", keys, dict),), 0)
        return node

    def _child(self, node: _Node, step: tuple) -> _Node:
        self._count += 1
        more = []
        for (holder, key), found in zip(node.inspect, step, strict=True):
            above = node.layout[holder]
            keys, kind = (found, dict) if type(found) is tuple else (None, found)
            more.append(_Object(f"{above.prefix}{fold(key)}.", f"{above.raw}{key}.", holder, key, keys, kind))
        child = node.children[step] = self._node((*node.layout, *more), len(node.layout))
        return child

    def _node(self, layout: tuple[_Object, ...], first_new: int) -> _Node:
        inspect = tuple(
            (i, key)
            for i, each in enumerate(layout[first_new:], first_new)
            for key in each.keys or ()
            if each.prefix + fold(key) in self._parents
        )
        node = _Node(layout, inspect)
        if not inspect:
            node.plan = self._compile(layout)
        return node

    def _compile(self, layout: tuple[_Object, ...]) -> Plan:
        raw = {each.raw + key for each in layout for key in each.keys or ()}
        kinds = {each.raw[:-1]: each.kind for each in layout[1:]}
        plan = Plan()
        complete = raw >= _COMPLETE and all(kinds[name] is str for name in _COMPLETE_TEXTS)
        formats = self._of_complete if complete else self._formats
        plan.formats = tuple(format for format in formats if format.matches(raw, kinds))
        complete = complete and all(format.strict for format in plan.formats)
        plan.default_level = next((f.default_level for f in plan.formats if f.default_level), None)
        plan.strict = any(format.strict for format in plan.formats)
        plan.events = next((f.events for f in plan.formats if f.events), None)
        plan.otel = any(format.otel for format in plan.formats)
        plan.envelope = any(format.inner for format in plan.formats)
        indices = [self._own[format.name] for format in plan.formats] + [self._general]
        for name in (*FIELDS, "line", "raw", "json"):
            setattr(plan, name, tuple(_candidates(name, layout, indices, complete)))
        plan.stack_trace = _whole_first(plan.stack_trace, layout)
        if plan.strict:
            plan.stack_trace = tuple(c._replace(read=None) if c.canonical else c for c in plan.stack_trace)
        elif plan.method and plan.path and not {"@version", "short_message"} & raw:
            plan.host = tuple(
                c for c in plan.host if c.holder or fold(c.key) not in _ASKED or (complete and c.canonical)
            )
            if plan.status and not (plan.otel or plan.envelope):
                plan.message = tuple(c for c in plan.message if c.holder or fold(c.key) not in _SENT)
        plan.inner = tuple(_inner(layout, indices))
        fed = ((name, getattr(plan, name)) for name in TEXTS)
        plan.texts = tuple((name, c[0].holder, c[0].key, c[0].read, c[0].stays, c) for name, c in fed if c)
        used = {c.holder for name in FIELDS if name != "title" for c in getattr(plan, name)} - {0}
        plan.nested = tuple((i, layout[i].holder, layout[i].key) for i in sorted(used, reverse=True))
        return plan


_Index = dict[str, list[tuple[str, int, Place]]]


def _index(format: Format) -> _Index:
    """Map folded paths to the fields that they feed.

    With the rank in each and the place.
    """
    found: _Index = {}
    for name in PLACES:
        for rank, place in enumerate(getattr(format, name)):
            found.setdefault(place.path, []).append((name, rank, place))
    return found


def _parents(formats: Iterable[Format]) -> Iterable[str]:
    """Return folded paths of objects to look into.

    Their members are candidates, or their type decides.
    """
    for format in formats:
        for name in PLACES:
            for place in getattr(format, name):
                parts = place.path.split(".")
                yield from (".".join(parts[:n]) for n in range(1, len(parts)))
                if name in ("line", "inner"):
                    yield place.path
        for mark in format.marks:
            for path in mark.lstrip("!").split("|"):
                parts = path.partition(":")[0].split(".")
                yield from (fold(".".join(parts[:n])) for n in range(1, len(parts) + (":" in path)))


def _candidates(name: str, layout: tuple[_Object, ...], indices: list[_Index], complete: bool) -> Iterable[Candidate]:
    """Candidates of a field, in order.

    A complete record's own columns come first; an attribute whose name they took has an underscore in front (`keep`).
    """
    found = []
    for number, index in enumerate(indices):
        for holder, each in enumerate(layout):
            for key in each.keys or ():
                if complete and not holder and key[:1] == "_" and key.lstrip("_") in CANONICAL:
                    continue
                for field, rank, place in index.get(each.prefix + fold(key), ()):
                    if field == name:
                        exact = holder == 0 and key in CANONICAL
                        order = (complete and not exact, number, rank, index is indices[-1] and not exact)
                        found.append((order, holder, key, place))
    seen = set()
    for _, holder, key, place in sorted(found, key=lambda entry: entry[0]):
        if (holder, key) not in seen:
            seen.add((holder, key))
            yield Candidate(holder, key, reader_of(name, place), holder == 0 and key in CANONICAL, place.stays)


def _whole_first(found: tuple[Candidate, ...], layout: tuple[_Object, ...]) -> tuple[Candidate, ...]:
    """Put exceptions in parts before their stack traces."""
    order = list(found)
    for part in found:
        each = layout[part.holder]
        if part.holder and not EXCEPTION_PARTS.isdisjoint(map(fold, each.keys or ())):
            whole = next((c for c in found if (c.holder, c.key) == (each.holder, each.key)), None)
            if whole and order.index(whole) > order.index(part):
                order.remove(whole)
                order.insert(order.index(part), whole)
    return tuple(order)


def _inner(layout: tuple[_Object, ...], indices: list[_Index]) -> Iterable[tuple[int, int, str]]:
    found = [
        (number, rank, i, each.holder, each.key)
        for number, index in enumerate(indices)
        for i, each in enumerate(layout)
        if each.keys
        for field, rank, _ in index.get(each.prefix[:-1], ())
        if field == "inner"
    ]
    return dict.fromkeys((i, holder, key) for _, _, i, holder, key in sorted(found))
