"""Fast path of JSON in a container's line.

Most applications in containers log JSON. Which key feeds which field is known from both plans. Where every first
candidate is what it usually is, the draft is made without a draft of each and without a merge; it is the one that
`fields.fill` and `draft.merge` would give.
"""

from typing import Any, NamedTuple

from dualsink.events.draft import Draft, keep
from dualsink.events.fields import span
from dualsink.events.levels import read_level
from dualsink.events.model import Refused
from dualsink.events.plans import MAX_PLANS, Candidate, Plan, Plans
from dualsink.events.strict_json import read_json
from dualsink.events.timestamps import Moment, parse_time

_TEXTS = ("service", "log_id", "stack_trace", "trace_id", "span_id", "host")  # in the order of `draft.merge`
_Place = tuple[int, str, Any]
"""Number of the object, key, and how the value is read."""


class _Recipe(NamedTuple):
    """Recipe of a plan: first candidates, keys they take.

    An envelope has a line, a line has level and message.
    """

    line: str
    time: _Place
    level: _Place
    message: str
    texts: tuple[tuple[str, int, str, Any, bool], ...]
    takes: tuple[tuple[int, str], ...]
    nested: tuple[tuple[int, int, str], ...]


class FastPath:
    """Drafts of usual records, made in one go."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._outer: dict[Plan, _Recipe | None] = {}
        self._inner: dict[tuple[Plan, Plan], _Recipe | None] = {}

    def draft(self, plan: Plan, objects: list[dict[str, Any]], near: int) -> Draft | None:
        """Return the draft of a record with JSON inside.

        None, and nothing is changed, where it needs a closer look.
        """
        outer = self._outer[plan] if plan in self._outer else self._remember_outer(plan)
        text = objects[0][outer.line] if outer else None
        if outer is None or type(text) is not str or text[:1] != "{":
            return None
        try:
            record = read_json(text.strip().encode())
            inner_plan, inner_objects = self._plans.plan(record)
            pair = (plan, inner_plan)
            inner = self._inner[pair] if pair in self._inner else self._remember_inner(pair)
            if inner is None:
                return None
            moment, their_time = _moment(inner, inner_objects, near), _moment(outer, objects, near)
        except Refused:
            return None
        texts, theirs = _texts(inner, inner_objects), _texts(outer, objects)
        _, level_key, scale = inner.level
        level_value, message = record[level_key], record[inner.message]
        level = read_level(level_value, scale) if type(level_value) in (str, int) else None
        usual = type(message) is str and message and level and level[0] != "UNKNOWN"
        if not (usual and moment and moment[2] and their_time) or texts is None or theirs is None:
            return None
        draft = Draft(record)
        own = draft.__dict__
        own["moment"], own["time_key"], own["time_value"] = moment, inner.time[1], record[inner.time[1]]
        own["level"], own["level_key"], own["level_value"], own["message"] = level, level_key, level_value, message
        own |= texts
        time_holder, time_key, _ = outer.time
        time_value = objects[time_holder][time_key]
        _take(inner, inner_objects)
        _take(outer, objects)
        keep(record, time_key, time_value)
        _complete(own, theirs, record, objects[0])
        return draft

    def _remember_outer(self, plan: Plan) -> _Recipe | None:
        if len(self._outer) >= MAX_PLANS:
            self._outer.clear()
        usual = plan.line and not plan.level and not plan.default_level and not plan.line[0].holder
        self._outer[plan] = found = _recipe(plan, plan.line[0].key) if usual else None
        return found

    def _remember_inner(self, pair: tuple[Plan, Plan]) -> _Recipe | None:
        if len(self._inner) >= MAX_PLANS:
            self._inner.clear()
        around, plan = pair
        usual = (
            not (plan.line or plan.json or plan.nested) and plan.level and plan.message and _is_plain(plan.message[0])
        )
        loggers = around.logger or around.logger_class or plan.logger or plan.logger_class
        named = around.service or plan.service or not loggers
        self._inner[pair] = found = _recipe(plan, "") if usual and named else None
        return found


def _is_plain(candidate: Candidate) -> bool:
    return candidate.read is None and not candidate.stays


def _recipe(plan: Plan, line: str) -> _Recipe | None:
    """Return the recipe of a plan, if it has one.

    None if a key feeds two fields, or a field has a rule of its own.
    """
    firsts = {name: getattr(plan, name)[0] for name in _TEXTS if getattr(plan, name)}
    loggers_stay = all(candidate.stays for candidate in (*plan.logger, *plan.logger_class))
    if plan.events or plan.otel or plan.strict or not plan.time or not loggers_stay:
        return None
    time, level, message = plan.time[0], None, None
    takes = [(time.holder, time.key), *((c.holder, c.key) for c in firsts.values() if not c.stays)]
    if line:
        takes.append((0, line))
    else:
        level, message = plan.level[0], plan.message[0]
        takes += [(0, level.key), (0, message.key)]
    used = {*takes, *((c.holder, c.key) for c in firsts.values())}
    if len(used) < len(firsts) + (2 if line else 3):
        return None
    return _Recipe(
        line, time[:3], level[:3] if level else (0, "", ""), message.key if message else "",
        tuple((name, c.holder, c.key, c.read, c.stays) for name, c in firsts.items()), tuple(takes), plan.nested,
    )  # fmt: skip


def _moment(recipe: _Recipe, objects: list[dict[str, Any]], near: int) -> Moment | None:
    holder, key, unit = recipe.time
    value = objects[holder][key]
    if type(value) is not str or not value or value == "0":
        return None
    moment, (least, most) = parse_time(value, unit), span(near)
    return moment if least <= moment[0] <= most else None


def _texts(recipe: _Recipe, objects: list[dict[str, Any]]) -> dict[str, str] | None:
    """Return the texts that first candidates hold.

    None if one is empty, no text, or read as something else.
    """
    found = {}
    for name, holder, key, read, stays in recipe.texts:
        value = objects[holder][key]
        if type(value) is not str or not value:
            return None
        if read is not None:
            text = read(value)
            if text is None or (text is not value and not stays):
                return None
            value = text
        found[name] = value
    return found


def _take(recipe: _Recipe, objects: list[dict[str, Any]]) -> None:
    for holder, key in recipe.takes:
        del objects[holder][key]
    for i, holder, key in recipe.nested:
        if not objects[i]:
            del objects[holder][key]


def _complete(own: dict[str, Any], theirs: dict[str, str], extra: dict[str, Any], rest: dict[str, Any]) -> None:
    """Add what the envelope says, as `draft.merge` does."""
    host = theirs.pop("host", None)
    for name, value in theirs.items():
        if own.setdefault(name, value) != value:
            keep(extra, f"container_{name}", value)
    if host is not None:
        if own.get("host", host) != host:
            keep(extra, "hostname", own["host"])
        own["host"] = host
    if extra.keys().isdisjoint(rest):
        extra.update(rest)
    else:
        for name, value in rest.items():
            keep(extra, name, value)
