"""Records a second of `produce`.

It sends files of real logs, whose times are moved to now: each as it is, and as a large file of the same logs.
"""

import gzip
import os
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dualsink.kafka import log_files, producer, topic
from dualsink.kafka.records import Record
from dualsink.kafka.source import Source, Watched
from dualsink.kafka.topic import Topic
from dualsink.settings import Settings

_LARGE = 100_000
"""Records of a large file, at least."""


def measure(settings: Settings, files: list[Path], turns: int) -> dict[str, Any]:
    """Send each file, and a large one of its logs.

    It does so in several turns, after one that warms the servers. `cpu` is of this process and its helpers, in
    microseconds a record; servers share the machine. `sending` is the same for records that are in memory already:
    what kafka-python alone takes.
    """
    topic.ensure_topic(Topic.of(settings))
    with TemporaryDirectory() as folder:
        both = [each for file in files for each in (file, _large(file, Path(folder)))]
        _turn(settings, both[0])
        rows = [_turn(settings, file) for _ in range(turns) for file in both]
    return {"turns": turns, "files": rows}


def _large(file: Path, folder: Path) -> Path:
    """Write a file's logs over and over, behind one header."""
    packed = file.suffix == ".gz"
    header, _, rows = (gzip.decompress if packed else bytes)(file.read_bytes()).partition(b"\n")
    large = folder / f"large-{file.name}"
    with gzip.open(large, "wb", 1) if packed else large.open("wb") as target:
        target.write(header + b"\n")
        for _ in range(-(-_LARGE // log_files.count(file)) + 1):
            target.write(rows.rstrip(b"\n") + b"\n")
    return large


def _turn(settings: Settings, file: Path) -> dict[str, Any]:
    own = settings.model_copy(update={"input_path": str(file), "shift_to_now": True})
    whole = _sent(Watched(Source.of(own).records(), own.hot_days), own)
    return {"file": file.name, **whole, "sending": _sent(list(Source.of(own).records()), own)}


def _sent(records: Iterable[Record], settings: Settings) -> dict[str, Any]:
    start, cpu = time.perf_counter(), _cpu()
    sent = producer.produce(records, Topic.of(settings))["records"]
    seconds, cpu = time.perf_counter() - start, _cpu() - cpu
    return {"records": sent, "rate": round(sent / seconds), "cpu": round(cpu / sent * 1e6, 1)}


def _cpu() -> float:
    """Return CPU seconds of this process and its ended ones."""
    return sum(os.times()[:4])
