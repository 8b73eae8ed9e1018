"""Freshness of the stores under a steady load, in seconds.

Production is the time that the producer gave the record, `kafka_timestamp`. An event is searchable when a search that
runs every POLL seconds counts it for the first time: by interval of production, so that every event is seen and none
better than it was (the interval's start counts, and the answer's arrival). It is archived at the time of the snapshot
that holds its offset; the catalogue shows that snapshot some hundredths of a second later.
"""

import threading
import time
from contextlib import closing, suppress
from typing import Any

import numpy as np
import orjson
from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException

from dualsink.iceberg import reader
from dualsink.iceberg.archive import Archive
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink_workbench.bench import rig

POLL = 0.2
INTERVAL_MS = 50
_LOOKED_BACK_MS = 300_000


class Watcher(threading.Thread):
    """Thread that searches the hot tier until its block ends.

    `seen` holds (milliseconds produced, seconds, events).
    """

    def __init__(self, settings: Settings):
        super().__init__(daemon=True)
        self._settings = settings
        self._ended = threading.Event()
        self._counted: dict[int, int] = {}
        self.seen: list[tuple[int, float, int]] = []

    def __enter__(self) -> "Watcher":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Look again and again."""
        with closing(index.connect(Cluster.of(self._settings), timeout=10)) as client:
            while not self._ended.wait(POLL):
                with suppress(OpenSearchException):
                    self._look(client)

    def _look(self, client: OpenSearch) -> None:
        since = int(time.time() * 1000) - _LOOKED_BACK_MS
        answer = client.search(index=self._settings.opensearch_index, body=_counts(since), ignore_unavailable=True)
        now = time.time()
        for bucket in answer.get("aggregations", {}).get("produced", {}).get("buckets", []):
            produced, count = int(bucket["key"]), bucket["doc_count"]
            new = count - self._counted.get(produced, 0)
            # The first interval is cut by `since`, and shrinks from look to look.
            if new > 0 and produced >= since:
                self.seen.append((produced, now - produced / 1000, new))
                self._counted[produced] = count


def _counts(since: int) -> dict[str, Any]:
    steps = {"field": "kafka_timestamp", "fixed_interval": f"{INTERVAL_MS}ms", "min_doc_count": 1}
    return {
        "size": 0,
        "track_total_hits": False,
        "query": {"range": {"kafka_timestamp": {"gte": since}}},
        "aggs": {"produced": {"date_histogram": steps}},
    }


def measure(
    settings: Settings, per_second: float, trigger: float, refresh: int, warm_up: int, seconds: int
) -> dict[str, Any]:
    """Measure the age of events in each store under load.

    Produces and streams for `warm_up` and `seconds` seconds; only the latter count.
    """
    settings = settings.model_copy(
        update={
            "trigger_seconds": trigger,
            "opensearch_refresh_interval": f"{refresh}s",
            "events_per_second": per_second,
            "num_log_events": int(per_second * (warm_up + seconds)),
            "streaming_mode": "live",
            # The stream starts before the producer; what is late is drained at its end.
            "streaming_duration_seconds": warm_up + seconds + 15,
        }
    )
    rig.with_spark(settings, setup.create_all)
    with Watcher(settings) as watcher:
        with rig.started(settings, "stream") as stream, rig.started(settings, "produce") as producer:
            producer.wait()
            stream.wait()
        time.sleep(refresh + 1)
    load = {"events_per_second": per_second, "trigger_seconds": trigger, "refresh_seconds": refresh}
    return load | {"poll_seconds": POLL} | _ages(settings, watcher, warm_up)


def _ages(settings: Settings, watcher: Watcher, warm_up: int) -> dict[str, Any]:
    produced, archived = _archived(settings)
    shown, ages, counts = (np.array(column) for column in zip(*watcher.seen, strict=True))
    if counts.sum() != len(produced):
        raise RuntimeError(f"{counts.sum()} of {len(produced)} events were seen within {_LOOKED_BACK_MS // 1000} s")
    # At the edge of an interval, so that both stores are asked of the same events.
    since = (produced.min() // INTERVAL_MS + 1) * INTERVAL_MS + warm_up * 1000
    return {
        "searchable": rig.quantiles(np.repeat(ages, counts)[np.repeat(shown, counts) >= since]),
        "archived": rig.quantiles((archived - produced)[produced >= since] / 1000),
        "batch_seconds": _batch_seconds(settings, since),
    }


def _archived(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return when each archived event was produced and committed.

    Both in milliseconds; committed is the time of the snapshot with its offset.
    """
    table = reader.open_archive(Archive.of(settings))
    events = table.scan(selected_fields=("partition", "offset", "kafka_timestamp")).to_arrow()
    partition, offset = (events[name].to_numpy() for name in ("partition", "offset"))
    made = np.zeros(len(offset), dtype=np.int64)
    for snapshot in table.snapshots():
        for name, (first, last) in orjson.loads(snapshot.summary["dualsink.offsets"]).items():
            inside = (partition == int(name.rsplit("-", 1)[1])) & (offset >= first) & (offset <= last)
            made[inside] = snapshot.timestamp_ms
    return events["kafka_timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64), made


def _batch_seconds(settings: Settings, since: float) -> dict[str, float]:
    return rig.quantiles(
        [sum(batch["seconds"].values()) for batch in rig.batches(settings) if batch["ended"] * 1000 > since]
    )
