"""Answers to what the page asks, as JSON types.

A page sends `{"ask": KIND, …}` with its state. Nothing here raises: what goes wrong is said in `troubles`.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dualsink.errors import DualsinkError
from dualsink.events.strict_json import dump_json
from dualsink.notebook.explorer import exports, hints, pasted, state, tiers
from dualsink.notebook.explorer.answers import Answer, Search
from dualsink.notebook.explorer.cancellation import CURRENT, Cancellation
from dualsink.notebook.explorer.stores import Stores
from dualsink.notebook.palette import LEVEL_COLOURS
from dualsink.opensearch.questions import quoted
from dualsink.timeline import moment

Reply = dict[str, Any]
_AROUND = 25
"""Events before and after one, of its service and host."""


def answer(stores: Stores, asked: dict[str, Any], cancellation: Cancellation) -> Reply:
    """Answer one message of the page.

    What is cancelled meanwhile is answered as a trouble.
    """
    CURRENT.set(cancellation)
    kinds: dict[str, Callable[[Stores, dict[str, Any]], Reply]] = {
        "search": _search,
        "hints": _hints,
        "trace": _trace,
        "event": _one,
        "around": _around,
        "export": _export,
        "questions": _questions,
    }
    start = time.perf_counter()
    try:
        reply = kinds[asked["ask"]](stores, asked)
    except (KeyError, TypeError, ValueError) as error:
        reply = {"troubles": [f"The page cannot ask that: {type(error).__name__} {error}."]}
    except DualsinkError as error:
        reply = {"troubles": [str(error)]}
    except Exception as error:  # a page that is not answered waits for ever
        reply = {"troubles": [f"The explorer could not answer: {type(error).__name__}."]}
    return reply | {"seconds": round(time.perf_counter() - start, 3)}


def _wanted(asked: dict[str, Any]) -> Search:
    return state.read(asked.get("state", {})).search()


def _search(stores: Stores, asked: dict[str, Any]) -> Reply:
    wanted, found = tiers.find(stores, _wanted(asked))
    return {
        "total": found.total,
        "events": [_event(event) for event in found.events],
        "troubles": found.troubles,
        "since": found.since and found.since.isoformat(),
        "more": len(found.events) < min(found.total, state.MOST),
        "stores": found.seconds,
        "words": pasted.words(wanted.text),
        "counts": _counts(found, wanted),
        "histogram": _histogram(found, wanted),
        "environment": stores.environment,
    }


def _hints(stores: Stores, asked: dict[str, Any]) -> Reply:
    found = hints.hints(stores, _wanted(asked))
    return {"hints": [{"says": hint.says, "total": hint.total, "state": _changes(hint.wanted)} for hint in found]}


def _changes(wanted: Search) -> dict[str, Any]:
    """Return what a hint changes in the page's state."""
    changes = {"q": wanted.text, "level": wanted.levels, "service": wanted.services, "tier": wanted.tier}
    return changes | ({} if wanted.start or wanted.end else {"range": "all"})


def _trace(stores: Stores, asked: dict[str, Any]) -> Reply:
    found = tiers.trace(stores, asked["trace"], moment(asked["around"]), _wanted(asked).tier)
    events = found.events
    first = events[0]["timestamp"] if events else None
    span = events[-1]["timestamp"] - first if events else timedelta()
    placed = [_event(event) | _place(event["timestamp"] - first, span) for event in events]
    services = len({event["service"] for event in events})
    return {"events": placed, "services": services, "span": _spoken(span), "troubles": found.troubles}


def _place(after: timedelta, span: timedelta) -> dict[str, Any]:
    share = after / span if span else 0.0
    return {"place": round(2 + 96 * share, 2), "after": _spoken(after)}


def _spoken(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 10:
        return f"{seconds * 1000:,.1f} ms"
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.1f} s" if minutes < 2 else f"{minutes:.1f} min" if hours < 2 else f"{hours:.1f} h"


def _one(stores: Stores, asked: dict[str, Any]) -> Reply:
    """Return the event of a link, by time and record."""
    first, record = moment(asked["moment"]), [int(number) for number in asked["record"].split(" ")]
    text = " AND ".join(f"{name}:{n}" for name, n in zip(("partition", "offset", "position"), record, strict=True))
    within = {"start": first, "end": first + timedelta(milliseconds=1), "text": text, "levels": (), "services": ()}
    _, found = tiers.find(stores, replace(_wanted(asked), **within))
    return {"events": [_event(event) for event in found.events], "troubles": found.troubles}


def _around(stores: Stores, asked: dict[str, Any]) -> Reply:
    """Return what a service and host logged around an instant.

    Newest first, at most a day before and after.
    """
    instant, day = moment(asked["moment"]), timedelta(days=1)
    just_after = instant + timedelta(microseconds=1)
    names = [f"{name}:{quoted(asked[name])}" for name in ("service", "host") if asked.get(name)]
    wanted = Search(" AND ".join(names), tier=_wanted(asked).tier, size=_AROUND)
    _, after = tiers.find(stores, replace(wanted, start=just_after, end=instant + day, oldest=True))
    _, before = tiers.find(stores, replace(wanted, start=instant - day, end=just_after, size=_AROUND + 1))
    events = [_event(event) for event in (*reversed(after.events), *before.events)]
    return {"events": events, "troubles": list(dict.fromkeys(after.troubles + before.troubles))}


def _export(stores: Stores, asked: dict[str, Any]) -> Reply:
    write = {"csv": exports.as_csv, "ndjson": exports.as_ndjson}[asked["form"]]
    _, found = tiers.find(stores, _wanted(asked))
    return {"text": write(found.events), "troubles": found.troubles}


def _questions(stores: Stores, asked: dict[str, Any]) -> Reply:
    return {"questions": exports.questions(stores, tiers.bounded(stores, _wanted(asked)))}


# -- parts of an answer ----------------------------------------------------------------------------------


def _counts(found: Answer, wanted: Search) -> Reply:
    """Return levels from the worst, services from the most.

    What is chosen is listed also if it has no event.
    """
    levels = found.levels.keys() | set(wanted.levels)
    services = sorted(found.services.keys() | set(wanted.services), key=lambda name: (-found.services[name], name))
    known = [level for level in reversed(LEVEL_COLOURS) if level in levels]
    return {
        "level": [{"value": v, "count": found.levels[v], "colour": LEVEL_COLOURS[v]} for v in known],
        "service": [{"value": name, "count": found.services[name]} for name in services],
    }


def _histogram(found: Answer, wanted: Search) -> Reply:
    """Return the bars over the whole time that was searched.

    Times are in epoch milliseconds.
    """
    if wanted.start is None or wanted.end is None:
        return {"counts": []}
    return {
        "start": wanted.start.timestamp() * 1000,
        "end": wanted.end.timestamp() * 1000,
        "step": wanted.step / timedelta(milliseconds=1),
        "counts": [[time.timestamp() * 1000, level, n] for (time, level), n in sorted(found.histogram.items())],
        "colours": LEVEL_COLOURS,
    }


def _event(event: dict[str, Any]) -> Reply:
    instant: datetime = event["timestamp"]
    names = ("level", "service", "host", "message", "stack_trace", "trace_id", "span_id", "log_id")
    attributes = event["attributes"]
    return {name: event[name] for name in (*names, "topic", "partition", "offset", "position", "tier")} | {
        # A text: JavaScript would round its numbers before the page could read them.
        "attributes": dump_json(attributes).decode() if attributes else None,
        "moment": instant.isoformat(),
        "record": f"{event['partition']} {event['offset']} {event['position']}",
        "colour": LEVEL_COLOURS.get(event["level"], "#8c8c8c"),
    }
