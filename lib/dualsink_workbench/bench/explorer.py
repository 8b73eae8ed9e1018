"""Search times of the log explorer over several days."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from pyspark.sql import SparkSession

from dualsink import words
from dualsink.notebook.explorer import tiers
from dualsink.notebook.explorer.answers import Answer, Search
from dualsink.notebook.explorer.state import PATIENCE
from dualsink.notebook.explorer.stores import Stores
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink_workbench.bench import loading, rig

TIERS = ("hot", "both", "archive")
HOT_DAYS = 7
_WORDS = ("timeout", "quota", "Retry", "connection", "SocketTimeoutException", "Mail")
_PHRASES = ('"upstream unavailable"', '"Slow query"', '"Out of memory"', '"connection reset by peer"')
_SERVICES = ("order-service", "cart-service", "api-gateway", "payment-service")
_LEVELS = (("ERROR",), ("ERROR", "FATAL"), ("WARN",))


def measure(
    settings: Settings, events: int, archived_days: int, calls: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Fill the stores and time `calls` searches in every tier.

    Returns seconds by tier and kind of search, and how many answers were partial, since the archive is read with the
    patience that the page has. `say` receives progress lines.
    """
    loaded = _load(settings, events, archived_days, say)
    say(f"searching: {calls} times in each of {', '.join(TIERS)}")
    kinds = _kinds(_some_traces(settings))
    taken: dict[str, dict[str, list[float]]] = {tier: defaultdict(list) for tier in TIERS}
    partial: Counter[str] = Counter()
    for kind, changes in _calls(kinds, len(kinds) + calls):
        for tier in TIERS:
            start = time.perf_counter()
            answer = _found(settings, Search(**changes, tier=tier, patience=PATIENCE))
            taken[tier][kind].append(time.perf_counter() - start)
            partial[tier] += answer.since is not None
    found = {tier: _summary(seconds) | {"partial": partial[tier]} for tier, seconds in taken.items()}
    return {"loaded": loaded | _totals(settings), "tiers": found}


def _load(settings: Settings, events: int, archived_days: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Fill both stores with hot days, the archive further.

    Each older day has as many events as a hot one.
    """
    a_day = events // HOT_DAYS
    # The day between is on the border: a part of it would be hot.
    days = [*range(HOT_DAYS), *range(HOT_DAYS + 1, HOT_DAYS + 1 + archived_days)]
    start = time.monotonic()

    def fill(spark: SparkSession, settings: Settings) -> None:
        setup.create_all(spark, settings)
        for number, ago in enumerate(days, 1):
            say(f"filling day {number} of {len(days)} with {words.count(a_day, 'event')}")
            loading.fill_day(spark, settings, a_day, ago)

    rig.with_spark(settings, fill)
    with closing(index.connect(Cluster.of(settings))) as client:
        index.refresh(client, settings.opensearch_index)
    return {"days": len(days), "a_day": a_day, "seconds": round(time.monotonic() - start, 1)}


def _totals(settings: Settings) -> dict[str, int]:
    return {tier: _found(settings, Search(tier=tier)).total for tier in TIERS}


def _some_traces(settings: Settings) -> list[str]:
    events = _found(settings, Search(tier="both", size=500)).events
    return sorted({event["trace_id"] for event in events if event["trace_id"]})


def _kinds(traces: list[str]) -> dict[str, Callable[[Random], dict[str, Any]]]:
    """Return the kinds of search by name.

    Each call of one draws another search of its kind.
    """
    now = datetime.now(UTC)

    def one_day(random: Random) -> dict[str, Any]:
        start = now - timedelta(days=random.randint(1, HOT_DAYS - 1))
        return {"text": random.choice(_WORDS), "start": start, "end": start + timedelta(days=1)}

    return {
        "everything": lambda random: {},
        "a word": lambda random: {"text": random.choice(_WORDS)},
        "a phrase": lambda random: {"text": random.choice(_PHRASES)},
        "level and service": lambda random: {"levels": random.choice(_LEVELS), "services": (random.choice(_SERVICES),)},
        "a range": lambda random: {"text": f"timestamp:[now-{random.randint(20, 160)}h TO now] AND level:WARN"},
        "a trace": lambda random: {"text": f"trace_id:{random.choice(traces)}"},
        "a word in one day": one_day,
    }


def _calls(kinds: dict[str, Callable[[Random], dict[str, Any]]], count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    random, names = Random(7), list(kinds)
    for i in range(count):
        name = names[i % len(names)]
        yield name, kinds[name](random)


def _found(settings: Settings, search: Search) -> Answer:
    _, answer = tiers.find(Stores.of(settings), search)
    if answer.troubles:
        raise RuntimeError(f"{search} was not answered: {' '.join(answer.troubles)}")
    return answer


def _summary(taken: dict[str, list[float]]) -> dict[str, Any]:
    """Summarise seconds of all calls and of each kind.

    The first call of each kind warms up and is left out of the sum.
    """
    warm = {kind: seconds[1:] for kind, seconds in taken.items()}
    every = [second for seconds in warm.values() for second in seconds]
    first = {kind: round(seconds[0], 3) for kind, seconds in taken.items()}
    kinds = {kind: rig.quantiles(seconds) for kind, seconds in warm.items()}
    return {"all": rig.quantiles(every), "kinds": kinds, "first": first}
