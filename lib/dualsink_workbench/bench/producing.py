"""Records a second of `produce`.

It sends files of real logs, whose times are moved to now.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dualsink.kafka import producer, topic
from dualsink.kafka.records import Record
from dualsink.kafka.source import Source, Watched
from dualsink.kafka.topic import Topic
from dualsink.settings import Settings


def measure(settings: Settings, files: list[Path], turns: int) -> dict[str, Any]:
    """Send each file in several turns.

    `cpu` is of this process, in microseconds a record; servers share the machine. `sending` is the same for records
    that are in memory already: what kafka-python alone takes.
    """
    topic.ensure_topic(Topic.of(settings))
    rows = [_turn(settings, file) for _ in range(turns) for file in files]
    return {"turns": turns, "files": rows}


def _turn(settings: Settings, file: Path) -> dict[str, Any]:
    own = settings.model_copy(update={"input_path": str(file), "shift_to_now": True})
    whole = _sent(Watched(Source.of(own).records(), own.hot_days), own)
    return {"file": file.name, **whole, "sending": _sent(list(Source.of(own).records()), own)}


def _sent(records: Iterable[Record], settings: Settings) -> dict[str, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    sent = producer.produce(records, Topic.of(settings))["records"]
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"records": sent, "rate": round(sent / seconds), "cpu": round(cpu / sent * 1e6, 1)}
