"""Log files as Kafka records: NDJSON and CSV, plain or gzip, told apart by their content."""

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import IO, Any

from dualsink.errors import InputError
from dualsink.events import DAY, Event, epoch_unit, parse, parse_time
from dualsink.generator import Record
from dualsink.shapes import TIME_NAMES, Number, Refused, dump_json, fold, keep, read_json

_NO_LIMIT = -1  # a Kafka timestamp that no event is ahead of
_SAMPLE = 64 * 1024


def read(path: Path, shift_to: datetime | None = None) -> Iterator[Record]:
    """Every record of a log file, in the file's order; nothing is checked here, that is the parser's work.

    NDJSON: the bytes of each line without its line end; blank lines are no records. A malformed line is sent too.
    CSV: each row as a JSON object under the header's names, see `csv_value`. Keys are the service that the parser
    finds, empty for what it refuses. `shift_to` (UTC where it has no zone) moves all event times by one distance, so
    that the newest is there; the file is then read twice, and in both passes one record at a time is in memory.
    Raises InputError with path and reason: missing, empty, binary or unknown; later for a damaged archive.
    """
    path = Path(path)
    values = _reader(path)
    if shift_to is None:
        return (_record(value) for value in values(path))
    return _shifted(path, values, shift_to if shift_to.tzinfo else shift_to.replace(tzinfo=UTC))


def count(path: Path) -> int:
    """How many records `read` gives, for a progress bar. Raises InputError like `read`."""
    return sum(1 for _ in _reader(Path(path))(Path(path)))


def _record(value: bytes) -> Record:
    event = parse(value, None, _NO_LIMIT)
    return Record(event.service.encode() if isinstance(event, Event) else b"", value, None)


# -- which kind of file ----------------------------------------------------------------------------

_MAGIC = {
    b"PK\x03\x04": "a zip archive", b"\x28\xb5\x2f\xfd": "compressed with zstd", b"PAR1": "a Parquet file",
    b"BZh": "compressed with bzip2", b"\xfd7zXZ": "compressed with xz", b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text", b"\x7fELF": "a program", b"\x89PNG": "a picture", b"%PDF": "a PDF document",
}  # fmt: skip
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def _reader(path: Path):
    """The function that reads this file's records. Raises InputError where no record can be told."""
    with _opened(path) as file:
        sample = file.read(_SAMPLE)
        blank = not sample.strip()
        while blank and (more := file.read(_SAMPLE)):
            sample, blank = more, not more.strip()
    if blank:
        raise InputError(f"Cannot read {path}: the file is empty.")
    _refuse_binary(path, sample)
    text = sample.removeprefix(b"\xef\xbb\xbf").lstrip()
    first_line = text.split(b"\n", 1)[0].strip()
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & {".ndjson", ".jsonl"}:
        return _ndjson_values
    if first_line == b"{" or (text.startswith(b"[") and ".csv" not in suffixes):
        raise InputError(f"Cannot read {path}: one JSON object a line is expected; convert it with `jq -c`.")
    if text.startswith(b"{"):
        return _ndjson_values
    if ".csv" in suffixes or any(mark in first_line for mark in _DELIMITERS.encode()):
        return _csv_values
    raise InputError(f"Cannot read {path}: neither NDJSON (lines of JSON objects) nor CSV with a header.")


def _refuse_binary(path: Path, sample: bytes) -> None:
    kind = next((kind for magic, kind in _MAGIC.items() if sample.startswith(magic)), None)
    if kind is None and len(_BINARY.findall(sample)) > len(sample) // 10:
        kind = "binary"
    if kind:
        raise InputError(f"Cannot read {path}: it is {kind}; NDJSON or CSV in UTF-8 is expected, plain or gzip.")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A file's bytes, unpacked. Every failure to read becomes an InputError."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.open(raw) if packed else raw as file:
                yield file
    except FileNotFoundError:
        raise InputError(f"Cannot read {path}: there is no such file.") from None
    except IsADirectoryError:
        raise InputError(f"Cannot read {path}: it is a folder; give one file.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"Cannot read {path}: the gzip archive is damaged ({error}).") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from None


# -- NDJSON ----------------------------------------------------------------------------------------


def _ndjson_values(path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        for number, line in enumerate(file):
            value = line.rstrip(b"\r\n")
            if number == 0:
                value = value.removeprefix(b"\xef\xbb\xbf")
            if value.strip():
                yield value


# -- CSV -------------------------------------------------------------------------------------------

_DELIMITERS = ",;\t|"
_KUBERNETES = {"podname": "pod_name", "container": "container_name", "containername": "container_name", "node": "host"}
_IDS = {"traceid": "trace_id", "spanid": "span_id"}
_COLUMN_TIMES = ("timestamp", "timeunixnano", "time")


def _csv_values(path: Path) -> Iterator[bytes]:
    csv.field_size_limit(sys.maxsize)
    with _opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        first = text.readline()
        rows = csv.reader(_Lines(first, text), delimiter=max(_DELIMITERS, key=first.count))
        try:
            header = _unique_names(next(rows))
            for row in rows:
                if row:
                    yield csv_value(header, row)
        except csv.Error as error:
            raise InputError(f"Cannot read {path}: line {rows.line_num} is no CSV ({error}).") from None


class _Lines:
    """The lines of a text whose first one was read before."""

    def __init__(self, first: str, rest: Iterator[str]) -> None:
        self._first: str | None = first
        self._rest = rest

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        first, self._first = self._first, None
        return next(self._rest) if first is None else first


def _unique_names(header: list[str]) -> list[str]:
    """Column names; an empty one is `column_<n>`, one that stands twice gets its number."""
    names: list[str] = []
    for number, name in enumerate(header, 1):
        name = name.strip() or f"column_{number}"
        names.append(name if name not in names else f"{name}_{number}")
    return names


def csv_value(header: list[str], row: list[str]) -> bytes:
    """A CSV row as the value of a Kafka record.

    Cells keep their text; cells beyond the header are kept as `_extra_cells`, missing ones are left out. Where a
    column `Log` holds container-runtime JSON, the value is that object with the row's other columns as fluent-bit
    names them (`kubernetes.pod_name`, …) and `trace_id`, `span_id`. Bytes that are no UTF-8 stay as they are.
    """
    cells: dict[str, Any] = dict(zip(header, row, strict=False))
    if len(row) > len(header):
        keep(cells, "_extra_cells", row[len(header) :])
    return _container_value(cells) or _json_bytes(cells)


def _json_bytes(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogateescape")


def _container_value(cells: dict[str, Any]) -> bytes | None:
    name = next((name for name in cells if fold(name) == "log"), None)
    try:
        record = read_json(cells[name].encode()) if name else None
        if not isinstance(record, dict) or not isinstance(record.get("log"), str):
            return None
        others = {column: cell for column, cell in cells.items() if column != name}
        return _with_metadata(record, others)
    except (Refused, UnicodeEncodeError):  # another kind of text, or no UTF-8: the row goes as it is
        return None


def _with_metadata(record: dict[str, Any], cells: dict[str, Any]) -> bytes:
    times = {column: cells.pop(column) for column in list(cells) if fold(column) in _COLUMN_TIMES}
    kubernetes = {}
    for column, cell in cells.items():
        short = fold(column)
        if short in _KUBERNETES and "kubernetes" not in record and _KUBERNETES[short] not in kubernetes:
            kubernetes[_KUBERNETES[short]] = cell
        else:
            keep(record, _IDS.get(short, column), cell)
    if kubernetes:
        record["kubernetes"] = kubernetes
    return _with_times(record, times)


def _with_times(record: dict[str, Any], times: dict[str, Any]) -> bytes:
    """Add the row's times where they say another moment than the record does."""
    value = dump_json(record)
    event = parse(value, None, _NO_LIMIT)
    for column, cell in times.items():
        if not isinstance(event, Event) or _micros(cell) != event.timestamp:
            keep(record, column, cell)
            value = dump_json(record)
    return value


def _micros(value: Any) -> int | None:
    try:
        return parse_time(value).micros
    except Refused:
        return None


# -- moving times ----------------------------------------------------------------------------------

_TIME_FIELDS = frozenset(alias.name for alias in TIME_NAMES) | {"observedtimeunixnano", "observedtimestamp"}
_ENVELOPES = ("resourceLogs", "scopeLogs", "logRecords", "resource_logs", "scope_logs", "log_records")
_CLOCK = re.compile(r"(\d{4}-\d\d-\d\d)([Tt ])(\d\d:\d\d)(?::(\d\d))?(?:([.,])(\d{1,9}))?", re.ASCII)
_STAMP = re.compile(r"\[?" + _CLOCK.pattern, re.ASCII)
_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": Decimal("0.001")}


def _shifted(path: Path, values, shift_to: datetime) -> Iterator[Record]:
    target = _since_epoch(shift_to)
    limit = max(target, _since_epoch(datetime.now(UTC)))  # a clock that is years ahead must not move all others back
    outcomes = (parse(value, None, limit) for value in values(path))
    newest = max((event.timestamp for event in outcomes if isinstance(event, Event)), default=target)
    for value in values(path):
        yield _record(shift(value, target - newest, limit))


def _since_epoch(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def shift(value: bytes, delta: int, limit: int = _NO_LIMIT) -> bytes:
    """A record with its times moved by `delta` microseconds, each in its own form; refused ones stay as they are.

    All fields that name a time within a day of the event's are moved, also those of JSON or a log line in `log`;
    times of day without a date stay. Digits finer than a microsecond are kept. `limit` is the Kafka timestamp for
    the parser, which refuses events more than a day ahead of it.
    """
    event = parse(value, None, limit)
    if not delta or not isinstance(event, Event):
        return value
    record = read_json(value.removeprefix(b"\xef\xbb\xbf"))
    _shift_fields(record, event.timestamp, delta)
    return dump_json(record)


def _shift_fields(fields: dict[str, Any], near: int, delta: int) -> None:
    for name, value in fields.items():
        short = fold(name)
        if short in _TIME_FIELDS:
            fields[name] = _shift_value(value, "ns" if short.endswith("nano") else "", near, delta)
        elif short == "log" and isinstance(value, str):
            fields[name] = _shift_line(value, near, delta)
        elif name in _ENVELOPES and isinstance(value, list):
            for item in value:
                _shift_fields(item, near, delta)


def _shift_value(value: Any, unit: str, near: int, delta: int) -> Any:
    try:
        moment = parse_time(value, unit)
    except Refused:
        return value
    if abs(moment.micros - near) > DAY:
        return value
    if isinstance(value, str) and (found := _CLOCK.search(value)):
        return value[: found.start()] + _shift_clock(found, delta) + value[found.end() :]
    text = _shift_number(value if isinstance(value, str) else dump_json(value).decode(), unit, delta)
    return text if isinstance(value, str) else Number(text)


def _shift_clock(found: re.Match[str], delta: int) -> str:
    """A date and time moved; the fraction keeps its digits, and grows to six where the distance needs them."""
    day, separator, clock, second, mark, fraction = found.groups()[-6:]
    digits = fraction or ""
    start = datetime.fromisoformat(f"{day}T{clock}") + timedelta(seconds=int(second or 0))
    moved = start + timedelta(microseconds=int(digits[:6].ljust(6, "0")) + delta)
    width = max(len(digits), 6 if delta % 1_000_000 else 0)
    shown = (f"{moved.microsecond:06d}" + digits[6:])[:width]
    return f"{moved:%Y-%m-%d}{separator}{moved:%H:%M:%S}" + (f"{mark or '.'}{shown}" if width else "")


def _shift_number(text: str, unit: str, delta: int) -> str:
    with localcontext(prec=200):
        number = Decimal(text.strip())
        moved = number + Decimal(delta) / _UNITS[unit or epoch_unit(number)]
    return str(int(moved)) if moved == int(moved) and "." not in text else f"{moved:f}"


def _shift_line(line: str, near: int, delta: int) -> str:
    """A log line: JSON in it like a record, a full date and time at its head like a field."""
    if line.lstrip().startswith("{"):
        try:
            inner = read_json(line.strip().encode())
        except Refused:
            return line
        _shift_fields(inner, near, delta)
        return dump_json(inner).decode() + line[len(line.rstrip()) :]
    found = _STAMP.match(line)
    if found is None or _micros(found[0].lstrip("[")) is None:
        return line
    head = "[" if line.startswith("[") else ""
    return head + _shift_clock(found, delta) + line[found.end() :]
