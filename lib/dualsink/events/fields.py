"""Fields of a record, taken out of it by plan."""

import re
from typing import Any

from dualsink.events.draft import Draft
from dualsink.events.formats import fold
from dualsink.events.levels import Level, checked_level, gives_way, read_level
from dualsink.events.model import DAY, Refused, wrong_type
from dualsink.events.plans import Candidate, Plan
from dualsink.events.readers import joined, within
from dualsink.events.strict_json import dump_json
from dualsink.events.timestamps import parse_time

YEARS = 10 * 366 * DAY  # a time this far before its arrival gives way to another candidate
_FIRST, _LAST = 315_532_800_000_000, 4_102_444_800_000_000  # 1980 and 2100, if no arrival is known
_ABSENT = read_level(0, "otel")
_CLOCK = re.compile(r"\d\d:?\d\d", re.ASCII)
"""Beginning of a time of day; `parse_time` judges the rest."""
_OFFSET = re.compile(r"[+-]\d\d:?\d\d", re.ASCII)


def fill(plan: Plan, objects: list[dict[str, Any]], near: int) -> Draft:
    """Take the fields of a record by its plan.

    `near` is when it arrived in µs, negative if that is not known.

    Raises Refused (wrong_type, field_too_long).
    """
    draft = Draft(objects[0])
    own = draft.__dict__
    for name, holder, key, read, stays, candidates in plan.texts:
        value = objects[holder].get(key)
        found = read(value) if read is not None and type(value) is str and value else value
        if type(value) is str and value and (found is value or (stays and found is not None)):
            if not stays:
                del objects[holder][key]
            own[name] = found
        elif (text := _text(candidates, objects, name in _NAMED_OBJECTS and not plan.strict, plan.strict)) is not None:
            own[name] = text
    if plan.time:
        _take_time(draft, plan.time, objects, near)
    if plan.level or plan.default_level:
        _take_level(draft, plan, objects)
    if plan.otel and draft.level is not None:
        _drop_same_level(draft.level.name, plan, objects)
    if draft.service is None:
        if plan.logger:
            draft.logger = _text(plan.logger, objects)
        if plan.logger_class:
            draft.logger_class = _text(plan.logger_class, objects)
    return draft


_NAMED_OBJECTS = ("host", "service")  # of which some formats make objects with a name


def tidy(plan: Plan, objects: list[dict[str, Any]]) -> None:
    """Drop the objects that were emptied."""
    for i, holder, key in plan.nested:
        if objects[i] == {} and objects[holder].get(key) is objects[i]:
            del objects[holder][key]


def _text(
    candidates: tuple[Candidate, ...], objects: list[dict[str, Any]], tolerant: bool = False, strict: bool = False
) -> str | None:
    """Take the first usable text out of its object.

    An object is an error if `tolerant` does not say otherwise. An empty one, or an empty array, is an error to the
    `strict` alone; else it says nothing.
    """
    wrong = None
    for holder, key, read, canonical, stays in candidates:
        value = objects[holder].get(key)
        if value is None or value == "":
            if canonical:
                objects[holder].pop(key, None)
            continue
        if read is not None:
            text = read(value)
            if text is not None:
                if not stays and (text is value or _says_no_more(value)):
                    del objects[holder][key]
                return text
        elif type(value) is str:
            if not stays:
                del objects[holder][key]
            return value
        elif not isinstance(value, dict | list):
            if not stays:
                del objects[holder][key]
            return dump_json(value).decode()
        if canonical and (value or strict) and (isinstance(value, list) or isinstance(value, dict) and not tolerant):
            wrong = wrong or wrong_type(key, value)
    if wrong is not None:
        raise wrong
    return None


def _says_no_more(value: Any) -> bool:
    """Return whether a text holds all of its value.

    The value was a number, or lines that were joined.
    """
    return type(value[0]) is str if isinstance(value, list) else not isinstance(value, str | dict)


def span(near: int) -> tuple[int, int]:
    """Return the first and last plausible time in µs.

    It is that of what arrived at `near`.
    """
    return (near - YEARS, near + DAY) if near >= 0 else (_FIRST, _LAST)


def _take_time(draft: Draft, candidates: tuple[Candidate, ...], objects: list[dict[str, Any]], near: int) -> None:
    """Take the first plausible time, else the first time."""
    least, most = span(near)
    first = None
    for holder, key, unit, canonical, _ in candidates:
        value = objects[holder].get(key)
        if value is None or value == "" or (unit and (value == 0 or value == "0")):  # OpenTelemetry's zero is no time
            if canonical and value != 0:
                objects[holder].pop(key, None)
            continue
        try:
            if unit == "pair":
                value, unit = _pair(value, objects[holder]), ""
            moment = parse_time(value, unit)
        except Refused as error:
            if draft.error is None:
                draft.error, draft.time_key = error, key
            continue
        if least <= moment[0] <= most:
            first, draft.likely = (holder, key, value, moment), True
            break
        first = first or (holder, key, value, moment)
    halves = not draft.likely and (fold(first[1]) in _HALVES if first else draft.error is not None)
    if halves and _join_time(draft, objects[0]):  # before the digits of a clock time are read as a number
        return
    if first is not None:
        holder, draft.time_key, draft.time_value, draft.moment = first
        del objects[holder][draft.time_key]


def _pair(seconds: Any, record: dict[str, Any]) -> Any:
    """Return seconds with the nanoseconds beside them.

    Google's agents write a time in two fields.
    """
    nanos = record.get("timestampNanos")
    return {"seconds": int(seconds), "nanos": nanos} if type(seconds) is int and type(nanos) is int else seconds


_HALVES = ("date", "time")


def _join_time(draft: Draft, record: dict[str, Any]) -> bool:
    """Take a time of day with the date beside it.

    W3C's extended log format has them in two fields. Returns whether there are both.
    """
    keys = {fold(key): key for key in record}
    day, clock = (record[keys[name]] if name in keys else None for name in _HALVES)
    if not (isinstance(day, str) and isinstance(clock, str) and _CLOCK.match(clock)):
        return False
    zone = record.get(keys.get("tz", "tz"))  # FortiGate's
    offset = zone if isinstance(zone, str) and _OFFSET.fullmatch(zone) else ""
    text, draft.time_key = f"{day} {clock}{offset}", keys["time"]
    try:
        draft.moment, draft.time_value, draft.likely = parse_time(text), text, True
        del record[keys["date"]], record[keys["time"]]
    except Refused as error:  # the digits of a clock are no seconds since 1970
        draft.error = error
    return True


_SAYS_LEVEL = re.compile(r"(?i)le?ve?l|sever")
"""A name that says level; under another, such as `priority`, a word that is no level is something else."""


def _take_level(draft: Draft, plan: Plan, objects: list[dict[str, Any]]) -> None:
    """Take the first recognised level, else the first value.

    A number of no known scale gives way to a name elsewhere.
    """
    first, number = None, None
    for holder, key, scale, canonical, _ in plan.level:
        value = objects[holder].get(key)
        if value is None or value == "":
            if canonical:
                objects[holder].pop(key, None)
            continue
        if isinstance(value, dict | list):
            if not canonical or not (value or plan.strict):
                continue
            level = None
        else:
            level = read_level(value, scale)
            if level[0] != "UNKNOWN":
                if len(plan.level) > 1 and gives_way(value, scale):
                    number = number or (holder, key, value, level)
                    continue
                if number is None or (scale == "any" and len(value) > 2):
                    _set_level(draft, objects, holder, key, value, level)
                    return
        if first is None and scale != "word" and not (scale == "otel" and level == _ABSENT and value in (0, "0")):
            first = (holder, key, value, scale) if plan.formats or _SAYS_LEVEL.search(key) else None
    if number is not None:
        _set_level(draft, objects, *number)
    elif first is not None:
        holder, key, value, scale = first
        _set_level(draft, objects, holder, key, value, checked_level(value, scale))
    elif plan.default_level:
        draft.level = read_level(plan.default_level)


def _set_level(draft: Draft, objects: list[dict[str, Any]], holder: int, key: str, value: Any, level: Level) -> None:
    draft.level, draft.level_key, draft.level_value = level, key, value
    del objects[holder][key]


def _drop_same_level(name: str, plan: Plan, objects: list[dict[str, Any]]) -> None:
    """Drop the text beside a number that says the same.

    Both are OpenTelemetry's.
    """
    for holder, key, scale, _, _ in plan.level:
        value = objects[holder].get(key)
        if fold(key) == "severitytext" and isinstance(value, str) and read_level(value, scale) == (name, False):
            del objects[holder][key]


_IN_PARTS = ("message", "msg")
"""Names under which loggers write the parts of a message as an array."""


def take_message(plan: Plan, objects: list[dict[str, Any]]) -> Any:
    """Take the first usable message.

    It is a text, or an object for want of one; "" if all are empty, None without any. An object as well where a place
    lies `within` one that the application wrote, which is then read as a record.

    A message in parts, an array with texts in it, stays in the attributes.

    Raises Refused(wrong_type) if there is only another array, or an object in the archive's own format.
    """
    wrong, structured, message, parts = None, None, None, None
    for candidate in plan.message:
        holder, key, read, canonical, stays = candidate
        value = objects[holder].get(key)
        if value is None or value == "" or (value in ({}, []) and not plan.strict):
            message = ""
            if canonical:
                objects[holder].pop(key, None)
        elif read is within and holder and type(value) is str:
            return objects[holder]
        elif read is not None:
            if (text := read(value)) is not None:
                if text is value and not stays:
                    del objects[holder][key]
                return text
        elif isinstance(value, dict | list):
            if isinstance(value, list) and fold(key) in _IN_PARTS and str in map(type, value):
                parts = parts or value
            if plan.strict or (isinstance(value, list) and not plan.otel):
                wrong = wrong or wrong_type(key, value)
            else:
                structured = structured or candidate
        else:
            if not stays:
                del objects[holder][key]
            return value if type(value) is str else dump_json(value).decode()
    if parts and not (plan.strict or plan.otel):
        return joined(parts)
    if structured is not None:
        if not (plan.otel or plan.envelope or structured.canonical) and (text := summary(plan, objects)):
            return text
        return objects[structured.holder][structured.key]
    if wrong is not None:
        raise wrong
    return message


def summary(plan: Plan, objects: list[dict[str, Any]]) -> str | None:
    """Return method, path and status of a request as message.

    They stay in the attributes. None without method or path.
    """
    method, path, status = (_peek(candidates, objects) for candidates in (plan.method, plan.path, plan.status))
    if method is None or path is None:
        return None
    parts = (path, status) if path.startswith(f"{method} ") else (method, path, status)
    return " ".join(part for part in parts if part)


def title(plan: Plan, objects: list[dict[str, Any]]) -> str | None:
    """Return what happened as message.

    It stays in the attributes.
    """
    return _peek(plan.title, objects)


def _peek(candidates: tuple[Candidate, ...], objects: list[dict[str, Any]]) -> str | None:
    for holder, key, read, *_ in candidates:
        value = objects[holder].get(key)
        if isinstance(value, str | int) and value != "" and (text := read(value) if read else str(value)):
            return text
    return None
