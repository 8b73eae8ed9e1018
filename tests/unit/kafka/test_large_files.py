"""A large file is read by helper processes: the same records, errors and end as of a small one."""

import gzip
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from tests.support.corpus import T

from dualsink.errors import InputError
from dualsink.events.reading import Reading
from dualsink.kafka import log_files
from dualsink.kafka.log_files import read
from dualsink.kafka.records import Record
from dualsink.kafka.source import Source, Watched
from dualsink.settings import Settings

DATA = Path(__file__).parents[2] / "data"
KINDS = {
    "csv": "online_boutique.csv.gz", "a log in csv": "train_ticket.csv.gz", "ndjson": "log_shapes.ndjson",
    "text": "lines/catalina.out", "compose": "lines/compose.log",
}  # fmt: skip
NOW = datetime(2026, 11, 23, 22, 0, 0, 123_456, tzinfo=UTC)
LINE = b'{"timestamp":"2026-11-20T10:00:00.000Z","level":"INFO","service":"pay","message":"' + b"m" * 500 + b'"}\n'
LARGE = (log_files.ALONE + 20) * log_files.PIECE
EVER = 10**9  # pieces that no file here has


def helpers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "dualsink.parallel" in child.cmdline()]


def both_ways(monkeypatch: pytest.MonkeyPatch, path: Path, reading: Reading) -> tuple[list[Record], list[Record]]:
    monkeypatch.setattr(log_files, "ALONE", EVER)
    here = list(read(path, reading, NOW))
    monkeypatch.setattr(log_files, "ALONE", 1)
    records = read(path, reading, NOW)
    first = next(records)
    assert helpers()
    return here, [first, *records]


@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_helpers_give_the_same_records(monkeypatch, name):
    monkeypatch.setattr(log_files, "PIECE", min(1000, (DATA / name).stat().st_size // 10))
    here, there = both_ways(monkeypatch, DATA / name, Reading())
    assert here == there
    assert not helpers()


def test_helpers_read_formats_of_a_users_own(monkeypatch, tmp_path):
    declared = "formats:\n- {name: ours, recognised_by: [wann], time: wann, message: was, service: wo, level: "
    scale = "{place: wie, scale: {77: ERROR}}}"
    path = tmp_path / "a.ndjson"
    lines = [f'{{"wann": "{T}", "was": "{i}", "wo": "pay", "wie": 77}}' for i in range(100)]
    path.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(log_files, "PIECE", 200)
    here, there = both_ways(monkeypatch, path, Reading(declared + scale))
    assert here == there
    assert all(record.times and record.key == b"pay" for record in there)


def test_the_newest_event_may_be_in_any_piece(monkeypatch, tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"".join(LINE.replace(b"10:00", b"%d:00" % hour) for hour in (10, 23, 11, 12)))
    monkeypatch.setattr(log_files, "PIECE", 1)
    here, there = both_ways(monkeypatch, path, Reading())
    ages = [int(NOW.timestamp() * 1e6 - record.times[0]) // 1_000_000 // 3600 for record in here]
    assert (here == there, ages) == (True, [13, 0, 12, 11])


def test_a_large_file_is_read_by_helpers_and_a_small_one_is_not(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(LINE * (LARGE // len(LINE)))
    with closing(read(path, Reading(), NOW)) as records:
        next(records)
        assert helpers()
    path.write_bytes(LINE * 1000)
    with closing(read(path, Reading(), NOW)) as records:
        next(records)
        assert not helpers()


def test_an_archive_that_is_damaged_late_gives_no_record(tmp_path):
    path = tmp_path / "a.ndjson.gz"
    lines = b"".join(LINE.replace(b"pay", b"%d" % i) for i in range(LARGE // len(LINE)))
    path.write_bytes(gzip.compress(lines, 1)[:-20])
    with pytest.raises(InputError, match="the gzip archive is damaged"):
        next(read(path, Reading(), NOW))
    assert not helpers()


def test_a_failure_while_records_are_sent_ends_the_helpers(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(LINE * (LARGE // len(LINE)))
    settings = Settings(input_path=str(path), shift_to_now=True)
    watched = Watched(Source.of(settings).records(), hot_days=7)
    with pytest.raises(ZeroDivisionError), closing(watched):
        for record in watched:
            assert helpers()
            1 / record.value.count(b"none")
    assert not helpers()


@pytest.mark.parametrize("alone", [EVER, 1], ids=["this process", "helpers"])
def test_a_large_file_is_never_in_memory(monkeypatch, tmp_path, alone):
    monkeypatch.setattr(log_files, "ALONE", alone)
    path = tmp_path / "a.ndjson"
    path.write_bytes(LINE * (LARGE // len(LINE)))
    tracemalloc.start()
    count = sum(1 for _ in read(path, Reading(), NOW))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == LARGE // len(LINE)
    assert peak < LARGE / 3
