"""One search over the hot tier, the archive or both.

In `both`, each event day is answered by one store: by OpenSearch where it has the day's index, else by the archive. So
nothing is there twice at the border, wherever the border is. Events that reached Kafka too late for the hot tier are in
the archive alone, and found there. Rehydrated days are the archive's to answer: it may hold more of them than their
copies. A search of the hot tier alone finds the copies.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from opensearchpy.exceptions import OpenSearchException

from dualsink.errors import DualsinkError
from dualsink.events.model import first_hot_day
from dualsink.iceberg import reader
from dualsink.iceberg.reader import Slice
from dualsink.notebook.explorer import archive_search, hot_search, pasted
from dualsink.notebook.explorer.answers import Answer, Search, Tier
from dualsink.notebook.explorer.stores import Stores
from dualsink.opensearch import index

TRACE_SPAN = timedelta(days=1)
"""A trace is looked for in the archive this long before and after the event that it was opened from."""
_LONGEST_TRACE = 1_000
_DAY = timedelta(days=1)


def find(stores: Stores, wanted: Search) -> tuple[Search, Answer]:
    """Search the stores side by side.

    Returns the search with the times that it covers, and its answer.

    A store that fails is a trouble of the answer and does not hide what the other found; so is a text that had to be
    read as words.
    """
    answer = Answer()
    try:
        text, answer.troubles = pasted.read(wanted.text)
        wanted = bounded(stores, wanted)
    except DualsinkError as error:
        answer.troubles.append(str(error))
        return wanted, answer
    if wanted.start is None:
        return wanted, answer
    understood = replace(wanted, text=text)
    asked: dict[str, Callable[[], Answer]] = {}
    if wanted.tier in ("hot", "both"):
        asked["OpenSearch"] = lambda: _in_hot(stores, understood)
    if wanted.tier in ("archive", "both"):
        asked["archive"] = lambda: _in_archive(stores, understood)
    _collect(asked, answer, wanted)
    return wanted, answer


def trace(stores: Stores, trace_id: str, around: datetime, tier: Tier) -> Answer:
    """Return every event of a trace, oldest first.

    In whichever service; the archive is read a day around `around`.
    """

    def in_hot() -> Answer:
        with stores.opensearch() as client:
            return hot_search.trace(client, stores.hot, trace_id, _LONGEST_TRACE, tier)

    def in_archive() -> Answer:
        with archive_search.opened() as database:
            slices = archive_slices(around - TRACE_SPAN, around + TRACE_SPAN, _hot_days(stores, tier))
            return archive_search.trace(database, stores.table(), slices, trace_id, _LONGEST_TRACE)

    answer = Answer()
    asked = {"OpenSearch": in_hot} if tier in ("hot", "both") else {}
    asked |= {"archive": in_archive} if tier in ("archive", "both") else {}
    _collect(asked, answer, Search(size=_LONGEST_TRACE, oldest=True))
    return answer


def _in_hot(stores: Stores, wanted: Search) -> Answer:
    with stores.opensearch() as client:
        return hot_search.find(client, stores.hot, wanted)


def _in_archive(stores: Stores, wanted: Search) -> Answer:
    with archive_search.opened() as database:
        slices = archive_slices(wanted.start, wanted.end, _hot_days(stores, wanted.tier))
        return archive_search.find(database, stores.table(), slices, wanted)


def _collect(asked: dict[str, Callable[[], Answer]], answer: Answer, wanted: Search) -> None:
    with ThreadPoolExecutor(2) as pool:
        waiting = {name: pool.submit(copy_context().run, _timed, ask) for name, ask in asked.items()}
    for name, future in waiting.items():
        try:
            found, answer.seconds[name] = future.result()
        except DualsinkError as error:
            answer.troubles.append(str(error))
        except Exception as error:  # A page shows what went wrong; it does not fall over.
            answer.troubles.append(f"The {name} could not answer: {type(error).__name__}: {error}")
        else:
            answer.add(found, wanted.size, wanted.oldest)


def _timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    start = time.perf_counter()
    return ask(), time.perf_counter() - start


# -- from when to when -----------------------------------------------------------------------------------


def bounded(stores: Stores, wanted: Search) -> Search:
    """Close the search's open times.

    An open one ends where the tier does, or now. Without any event it stays open.
    """
    if wanted.start and wanted.end:
        return wanted
    known = [found for found in (_hot_extent(stores, wanted.tier), _archive_extent(stores, wanted.tier)) if found]
    if not known:
        return wanted
    start = wanted.start or min(first for first, _ in known)
    end = wanted.end or max(last for _, last in known) + timedelta(milliseconds=1)
    return wanted.within(start, max(end, start + timedelta(seconds=1)))


def _hot_extent(stores: Stores, tier: Tier) -> tuple[datetime, datetime] | None:
    if tier == "archive":
        return None
    with stores.opensearch() as client:
        return hot_search.extent(client, stores.hot)


def _archive_extent(stores: Stores, tier: Tier) -> tuple[datetime, datetime] | None:
    return None if tier == "hot" else reader.extent(stores.table())


# -- where the border is ---------------------------------------------------------------------------------


def _hot_days(stores: Stores, tier: Tier) -> list[date]:
    """Return the event days that OpenSearch answers for.

    The archive is asked for all others: a day that has left the hot window, and waits there for its proof, lacks the
    events that came after it had left.
    """
    if tier != "both":
        return []
    with stores.opensearch() as client:
        try:
            days = index.day_indices(client, stores.hot.alias)
        except OpenSearchException as error:
            raise hot_search.trouble(error, stores.hot) from None
    return [day for day in days if day >= first_hot_day(stores.hot.days)]


def archive_slices(start: datetime, end: datetime, hot_days: Sequence[date]) -> list[Slice]:
    """Return what the archive is asked for between two times.

    The hot days are left out.
    """
    slices, cursor = [], start
    for day in sorted(hot_days):
        first = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if first + _DAY <= start or first >= end:
            continue
        if cursor < first:
            slices.append(Slice(cursor, first))
        cursor = first + _DAY
    return slices + ([Slice(cursor, end)] if cursor < end else [])
