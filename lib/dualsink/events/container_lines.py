"""Fast path of lines in a container's envelope.

They are JSON or text. Which key of an envelope feeds which field is known from its plan, and so it is of JSON in its
line. Where every first candidate is what it usually is, the line's draft is completed without a draft of the envelope
and a trial of each candidate; it is the one that `fields.fill` and `draft.merge` would give.
"""

from dataclasses import dataclass
from typing import Any

from dualsink.events.draft import Draft, keep
from dualsink.events.fields import span
from dualsink.events.levels import Level, gives_way, read_level
from dualsink.events.model import Refused
from dualsink.events.plans import MAX_PLANS, Candidate, Plan, Plans
from dualsink.events.strict_json import read_json
from dualsink.events.text import has_runtime_header, level_in_text, stamp_of, text_line
from dualsink.events.timestamps import Moment, parse_time

_TEXTS = ("service", "log_id", "stack_trace", "trace_id", "span_id", "host")  # in the order of `draft.merge`
_NO_LEVEL = Level("UNKNOWN", False)
_Place = tuple[int, str, Any]
"""Number of the object, key, and how the value is read."""
_Time = tuple[Moment, str, str]
"""Moment, and the key and text that it was read from."""


@dataclass(frozen=True, slots=True)  # whose fields are read faster than those of a named tuple
class _Recipe:
    """Recipe of a plan: first candidates, keys they take.

    An envelope has a line and a time; a line has level and message, and perhaps a time.
    """

    line: str
    time: _Place | None
    level: _Place
    levels: int
    """How many candidates of a level there are."""
    message: str
    texts: tuple[tuple[str, int, str, Any, bool], ...]
    takes: tuple[tuple[int, str], ...]
    nested: tuple[tuple[int, int, str], ...]
    service: bool
    loggers: bool
    """Whether it has candidates of a service, and of a logger that names one for want of it."""


class FastPath:
    """Drafts of usual records, made in one go."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._recipes = _Recipes()

    def draft(self, plan: Plan, objects: list[dict[str, Any]], near: int) -> Draft | None:
        """Return the draft of a record with a line inside.

        None, and nothing is changed, where it needs a closer look.
        """
        recipe = self._recipes[plan]
        line = objects[0][recipe.line] if recipe and recipe.line else None
        if recipe is None or recipe.time is None or type(line) is not str:
            return None
        times = span(near)
        time = _time(recipe.time, objects, times)
        texts = _texts(recipe, objects) if time else None
        if time is None or texts is None:
            return None
        if line[:1] == "{":
            draft = self._of_json(line, recipe, times)
        else:
            draft = _of_text(line) if recipe.service or not recipe.loggers else None
        if draft is not None:
            _complete(draft, recipe, objects, time, texts)
        return draft

    def _of_json(self, line: str, around: _Recipe, times: tuple[int, int]) -> Draft | None:
        """Return the draft of a usual record in JSON."""
        try:
            record = read_json(line.strip().encode())
        except Refused:
            return None
        plan, objects = self._plans.plan(record)
        recipe = self._recipes[plan]
        if recipe is None or recipe.line:
            return None
        if not (recipe.service or around.service) and (recipe.loggers or around.loggers):
            return None
        if not recipe.time and "" in record:  # which `draft.merge` takes for a time that was none
            return None
        _, level_key, scale = recipe.level
        level_value, message = record[level_key], record[recipe.message]
        level = read_level(level_value, scale) if type(level_value) in (str, int) else None
        time = _time(recipe.time, objects, times) if recipe.time else None
        texts = _texts(recipe, objects)
        if recipe.levels > 1 and gives_way(level_value, scale):
            return None
        usual = type(message) is str and message and level and level[0] != "UNKNOWN"
        if not usual or texts is None or (recipe.time and time is None):
            return None
        draft = Draft(record)
        own = draft.__dict__
        own["level"], own["level_key"], own["level_value"], own["message"] = level, level_key, level_value, message
        if time:
            own["moment"], own["time_key"], own["time_value"] = time
        own |= texts
        _take(recipe, objects)
        return draft


class _Recipes(dict[Plan, _Recipe | None]):
    """Recipes of the plans that were met."""

    def __missing__(self, plan: Plan) -> _Recipe | None:
        if len(self) >= MAX_PLANS:
            self.clear()
        self[plan] = found = _recipe(plan)
        return found


def _is_plain(candidate: Candidate) -> bool:
    return candidate.read is None and not candidate.stays


def _recipe(plan: Plan) -> _Recipe | None:
    """Return the recipe of a plan, if it has one.

    None if a key feeds two fields, or a field has a rule of its own.
    """
    loggers = (*plan.logger, *plan.logger_class)
    if plan.events or plan.otel or plan.strict or not all(candidate.stays for candidate in loggers):
        return None
    if not (_is_envelope(plan) or _is_line(plan)):
        return None
    if plan.line and plan.line[0].read is not None:
        return None
    said = [plan.line[0]] if plan.line else [plan.level[0], plan.message[0]]
    singles = [candidate[:2] for candidate in (*said, *plan.time[:1])]
    firsts = {name: getattr(plan, name)[0] for name in _TEXTS if getattr(plan, name)}
    used = {*singles, *((c.holder, c.key) for c in firsts.values())}
    if len(used) < len(firsts) + len(singles):
        return None
    return _Recipe(
        plan.line[0].key if plan.line else "", plan.time[0][:3] if plan.time else None,
        said[0][:3], len(plan.level), said[-1].key,
        tuple((name, c.holder, c.key, c.read, c.stays) for name, c in firsts.items()),
        (*singles, *((c.holder, c.key) for c in firsts.values() if not c.stays)), plan.nested,
        bool(plan.service), bool(loggers),
    )  # fmt: skip


def _is_envelope(plan: Plan) -> bool:
    return bool(plan.line and plan.time) and not (plan.level or plan.default_level or plan.line[0].holder)


def _is_line(plan: Plan) -> bool:
    read = not (plan.line or plan.json or plan.nested)
    return bool(read and plan.level and plan.message) and _is_plain(plan.message[0])


def _of_text(line: str) -> Draft | None:
    """Return the draft of a line that is no JSON.

    None for what may be JSON behind blanks, a cookie or a runtime's header.
    """
    if line.lstrip()[:1] in _CLOSER_LOOK:
        return None
    text = line.rstrip("\r\n")
    stamp = stamp_of(text)
    if stamp or "\n" in text:
        return None if has_runtime_header(text) else text_line(text, stamp)
    draft = Draft({})
    draft.message, draft.level = text, level_in_text(text) or _NO_LEVEL
    return draft


_CLOSER_LOOK = ("", "{", "@")
"""First signs of JSON behind blanks or a cookie, and of an empty line."""


def _time(place: _Place, objects: list[dict[str, Any]], times: tuple[int, int]) -> _Time | None:
    """Return the time of the first candidate.

    None for one that is none, or outside the first and last of `times`.
    """
    holder, key, unit = place
    value = objects[holder][key]
    if type(value) is not str or (unit and value == "0"):  # OpenTelemetry's zero is no time
        return None
    try:
        moment = parse_time(value, unit)
    except Refused:
        return None
    return (moment, key, value) if times[0] <= moment[0] <= times[1] else None


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


def _complete(
    draft: Draft, recipe: _Recipe, objects: list[dict[str, Any]], time: _Time, theirs: dict[str, str]
) -> None:
    """Add what the envelope says, as `draft.merge` does."""
    own, extra, rest = draft.__dict__, draft.extra, objects[0]
    _take(recipe, objects)
    ours = draft.moment
    if ours is not None and ours[2]:
        keep(extra, time[1], time[2])
    else:
        if (time_value := draft.time_value) is not None:
            keep(extra, "log_time", time_value)
        own["moment"], own["time_key"], own["time_value"] = time
    host = theirs.pop("host", None)
    for name, text in theirs.items():
        if own.setdefault(name, text) != text:
            keep(extra, f"container_{name}", text)
    if host is not None:
        if own.get("host", host) != host:
            keep(extra, "hostname", own["host"])
        own["host"] = host
    if extra.keys().isdisjoint(rest):
        extra.update(rest)
    else:
        for name, each in rest.items():
            keep(extra, name, each)
