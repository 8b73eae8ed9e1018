"""One search over the hot tier, the archive or both.

In `both`, each event day is answered by one store: by OpenSearch where it has the day's index, else by the archive. So
nothing stands twice at the border, wherever the border is. Events that reached Kafka too late for the hot tier are in
the archive alone, and found there. Rehydrated days are the archive's to answer: it may hold more of them than their
copies. A search of the hot tier alone finds the copies.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

from opensearchpy.exceptions import OpenSearchException

from dualsink import lake, lucene, search
from dualsink.errors import DualsinkError
from dualsink.explorer import archive, hot
from dualsink.explorer.answers import Answer, Search, Tier
from dualsink.lake import Slice
from dualsink.settings import Settings

TRACE_SPAN = timedelta(days=1)
"""A trace is looked for in the archive this long before and after the event that it was opened from."""
_LONGEST_TRACE = 1_000
_DAY = timedelta(days=1)


def find(settings: Settings, wanted: Search) -> tuple[Search, Answer]:
    """The search with the times that it covers, and its answer from the stores that it asks, side by side.

    A store that fails is a trouble of the answer and does not hide what the other found.
    """
    answer = Answer()
    try:
        lucene.check_fields(wanted.text)
        wanted = _bounded(settings, wanted)
    except DualsinkError as error:
        answer.troubles.append(str(error))
        return wanted, answer
    if wanted.start is None:
        return wanted, answer
    asked: dict[str, Callable[[], Answer]] = {}
    if wanted.tier in ("hot", "both"):
        asked["OpenSearch"] = lambda: _in_hot(settings, wanted)
    if wanted.tier in ("archive", "both"):
        asked["archive"] = lambda: _in_archive(settings, wanted)
    _collect(asked, answer, wanted.size)
    return wanted, answer


def trace(settings: Settings, trace_id: str, around: datetime, tier: Tier) -> Answer:
    """Every event of a trace, oldest first, in whichever service; the archive is read a day around `around`."""

    def in_hot() -> Answer:
        with closing(search.connect(settings, timeout=30)) as client:
            return hot.trace(client, settings, trace_id, _LONGEST_TRACE, tier)

    def in_archive() -> Answer:
        slices = archive_slices(settings, around - TRACE_SPAN, around + TRACE_SPAN, _hot_days(settings, tier))
        return archive.trace(lake.open_archive(settings), slices, trace_id, _LONGEST_TRACE)

    answer = Answer()
    asked = {"OpenSearch": in_hot} if tier in ("hot", "both") else {}
    asked |= {"archive": in_archive} if tier in ("archive", "both") else {}
    _collect(asked, answer, _LONGEST_TRACE)
    answer.events.reverse()
    return answer


def _in_hot(settings: Settings, wanted: Search) -> Answer:
    with closing(search.connect(settings, timeout=30)) as client:
        return hot.find(client, settings, wanted)


def _in_archive(settings: Settings, wanted: Search) -> Answer:
    slices = archive_slices(settings, wanted.start, wanted.end, _hot_days(settings, wanted.tier))
    return archive.find(lake.open_archive(settings), slices, wanted)


def _collect(asked: dict[str, Callable[[], Answer]], answer: Answer, size: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        waiting = {name: pool.submit(_timed, ask) for name, ask in asked.items()}
    for name, future in waiting.items():
        try:
            found, answer.seconds[name] = future.result()
        except DualsinkError as error:
            answer.troubles.append(str(error))
        except Exception as error:  # A page shows what went wrong; it does not fall over.
            answer.troubles.append(f"The {name} could not answer: {type(error).__name__}: {error}")
        else:
            answer.add(found, size)


def _timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    began = time.perf_counter()
    return ask(), time.perf_counter() - began


# -- from when to when -----------------------------------------------------------------------------------


def _bounded(settings: Settings, wanted: Search) -> Search:
    """The search with both times: an open one ends where the tier does, or now. Without any event it stays open."""
    if wanted.start and wanted.end:
        return wanted
    known = [found for found in (_hot_extent(settings, wanted.tier), _archive_extent(settings, wanted.tier)) if found]
    if not known:
        return wanted
    start = wanted.start or min(first for first, _ in known)
    end = wanted.end or max(last for _, last in known) + timedelta(milliseconds=1)
    return wanted.within(start, max(end, start + timedelta(seconds=1)))


def _hot_extent(settings: Settings, tier: Tier) -> tuple[datetime, datetime] | None:
    if tier == "archive":
        return None
    with closing(search.connect(settings, timeout=30)) as client:
        return hot.extent(client, settings)


def _archive_extent(settings: Settings, tier: Tier) -> tuple[datetime, datetime] | None:
    return None if tier == "hot" else lake.extent(lake.open_archive(settings))


# -- where the border is ---------------------------------------------------------------------------------


def _hot_days(settings: Settings, tier: Tier) -> list[date]:
    """Event days that OpenSearch answers for, where the archive is asked for all others."""
    if tier != "both":
        return []
    with closing(search.connect(settings, timeout=30)) as client:
        try:
            return list(search.day_indices(client, settings.opensearch_index))
        except OpenSearchException as error:
            raise hot.trouble(error, settings) from None


def archive_slices(settings: Settings, start: datetime, end: datetime, hot_days: Sequence[date]) -> list[Slice]:
    """What the archive is asked for between two times: all but the hot days, and of those what came too late.

    Only a day that has left the hot window, and waits there for its proof, can hold events that came too late for it.
    """
    slices, cursor = [], start
    for day in sorted(hot_days):
        first = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if first + _DAY <= start or first >= end:
            continue
        if cursor < first:
            slices.append(Slice(cursor, first))
        too_late = first + (settings.hot_days + 1) * _DAY
        if too_late <= datetime.now(UTC):
            slices.append(Slice(max(first, start), min(first + _DAY, end), too_late))
        cursor = first + _DAY
    return slices + ([Slice(cursor, end)] if cursor < end else [])
