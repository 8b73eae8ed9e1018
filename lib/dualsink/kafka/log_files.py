"""Log files as Kafka records, their kind recognised by content.

NDJSON, CSV, CRI and lines of text, plain or gzip. What is no record in itself becomes one: a CSV row an object under
the header's names, a line of text or of a container runtime the object that Fluent Bit would make of it.
"""

import csv
import gzip
import io
import pickle
import re
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

from dualsink.errors import InputError
from dualsink.events.catalogue import GENERAL
from dualsink.events.draft import keep
from dualsink.events.formats import fold
from dualsink.events.levels import normalise_level
from dualsink.events.model import EPOCH, Refused
from dualsink.events.parser import Event, Parser
from dualsink.events.strict_json import dump_json, read_json
from dualsink.events.timestamps import micros_of
from dualsink.kafka import exported, text_lines
from dualsink.kafka.producer import Record
from dualsink.kafka.shifting import Shift

_BANNER = 10  # lines at a file's head among which the first JSON object is looked for
_ARRAY = re.compile(rb"\[\s*(?:$|[{\[\]\"]|\d+\s*[,\]])")
_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\S+) (stdout|stderr) ([FP]) ?")
_CONSUMED = re.compile(rb"(?:(?:CreateTime|LogAppendTime|NoTimestamp|Partition|Offset):\S*\t)+[^{]*(?=\{)")
_NO_LIMIT = -1  # a Kafka timestamp that no event is ahead of
_TOGETHER = 100  # records that wait in one piece
_SAMPLE = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_LONGEST_TRACE = 1000  # lines after the one with the time


def read(path: Path, parser: Parser, shift_to: datetime | None = None) -> Iterator[Record]:
    """Read every record of a log file, in order.

    Nothing is checked here, that is the parser's work. NDJSON: the bytes of each line without its line end; blank lines
    are no records, a malformed line is one. CSV: each row as a JSON object under the header's names, see
    `_Columns.value`. Text: each line that begins with a date and time, with the lines after it that do not, as `log`.
    Keys are the service that the parser finds, empty for what it refuses. `shift_to` (UTC if it has no zone) moves all
    event times by the same whole seconds, so that the newest is in the second before; the records then wait in a
    temporary file for the first pass. Raises InputError with path and reason: missing, empty, binary or unknown; later
    for a damaged archive.
    """
    path = Path(path)
    values = _reader(path)
    if shift_to is None:
        return (_record(value, parser) for value in values(path))
    return _shifted(values(path), parser, shift_to if shift_to.tzinfo else shift_to.replace(tzinfo=UTC))


def count(path: Path) -> int:
    """Count the records that `read` gives, for a progress bar.

    Raises InputError as `read` does.
    """
    return sum(1 for _ in _reader(Path(path))(Path(path)))


def _record(value: bytes, parser: Parser, limit: int = _NO_LIMIT) -> Record:
    """Return a value as a record, with its events' times.

    Its key is the service if it holds one event alone.
    """
    outcomes = parser.parse_record(value, None, limit)
    events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
    key = events[0].service.encode() if events and len(outcomes) == 1 else b""
    return Record(key, value, None, tuple([event.timestamp for event in events]))


# -- which kind of file ----------------------------------------------------------------------------

_MAGIC = {
    b"PK\x03\x04": "a zip archive", b"\x28\xb5\x2f\xfd": "compressed with zstd", b"PAR1": "a Parquet file",
    b"BZh": "compressed with bzip2", b"\xfd7zXZ": "compressed with xz", b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text", b"\x7fELF": "a program", b"\x89PNG": "a picture", b"%PDF": "a PDF document",
}  # fmt: skip
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def _reader(path: Path) -> Callable[[Path], Iterator[bytes]]:
    """Choose the function that reads this file's records.

    Raises InputError if the file's kind is not recognised.
    """
    with _opened(path) as file:
        sample = file.read(_SAMPLE)
        blank = not sample.strip()
        while blank and (more := file.read(_SAMPLE)):
            sample, blank = more, not more.strip()
        if b"\n" not in sample.lstrip():
            sample += file.readline()
    if blank:
        raise InputError(f"Cannot read {path}: the file is empty.")
    _refuse_binary(path, sample)
    lines = sample.removeprefix(_BOM).lstrip().splitlines()
    return _reader_of_lines(path, lines, {suffix.lower() for suffix in path.suffixes})


def _reader_of_lines(path: Path, lines: list[bytes], suffixes: set[str]) -> Callable[[Path], Iterator[bytes]]:
    first = lines[0].strip()
    if first.startswith(b"{") and exported.is_export_line(first):
        return _exported_values
    if suffixes & {".ndjson", ".jsonl"}:
        return _ndjson_values
    if first == b"{" or (_ARRAY.match(first) and ".csv" not in suffixes):
        raise InputError(f"Cannot read {path}: one JSON object a line is expected; convert it with `jq -c`.")
    if first.startswith(b"{"):
        return _ndjson_values
    for mark, reader in _READERS.items():
        if mark.match(first):
            return reader
    if text_lines.START.match(first) and text_lines.fields_of(first):
        return _text_values
    if _is_known_header(first):
        return _known_csv(path, first.decode("utf-8", "replace"))
    if _is_compose(lines[:_BANNER]):
        return _compose_values
    if any(line.startswith(b"{") for line in lines[1:_BANNER]):
        return _ndjson_values  # behind a banner, which is sent too and refused
    if any(mark in first for mark in _DELIMITERS.encode()):
        return _known_csv(path, first.decode("utf-8", "replace"))
    raise InputError(
        f"Cannot read {path}: neither NDJSON (lines of JSON objects), CSV with a header, nor lines that begin with "
        "a date and time."
    )


def _known_csv(path: Path, first: str) -> Callable[[Path], Iterator[bytes]]:
    """Choose the reader of a CSV file.

    Raises InputError if its first line is no header.
    """
    names = _columns_of(first)
    if not _has_known_name(names):
        raise InputError(
            f"Cannot read {path}: its first line is no CSV header, none of its {len(names)} columns has a known name "
            "for a time or a message. Put a header such as `timestamp,level,message` before it."
        )
    return _exported_rows if exported.is_export(names) else _csv_values


def _columns_of(line: str) -> list[str]:
    return next(csv.reader([line], delimiter=_delimiter(line)), [])


def _has_known_name(names: Iterable[str]) -> bool:
    return any(fold(name.strip()) in _KNOWN_COLUMNS for name in names)


def _is_known_header(line: bytes) -> bool:
    names = _columns_of(line.decode("utf-8", "replace"))
    return len(names) > 1 and _has_known_name(names)


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _refuse_binary(path: Path, sample: bytes) -> None:
    kind = next((kind for magic, kind in _MAGIC.items() if sample.startswith(magic)), None)
    if kind is None and len(_BINARY.findall(sample)) > len(sample) // 10:
        kind = "binary"
    if kind:
        raise InputError(f"Cannot read {path}: it is {kind}; NDJSON or CSV in UTF-8 is expected, plain or gzip.")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if it is gzip.

    Every failure to read becomes an InputError.
    """
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
    for line in _lines(path):
        if line.strip():
            yield line


# -- exports of the log explorer -------------------------------------------------------------------


def _exported_values(path: Path) -> Iterator[bytes]:
    for line in _ndjson_values(path):
        yield exported.event_of(line) or line


def _exported_rows(path: Path) -> Iterator[bytes]:
    for row in _csv_values(path):
        yield exported.event_of(row, exported.unshielded) or row


# -- lines of text ---------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        for number, line in enumerate(file):
            yield (line if number else line.removeprefix(_BOM)).rstrip(b"\r\n")


def _cri_values(path: Path) -> Iterator[bytes]:
    """Yield lines of the container runtime interface as records.

    As Fluent Bit makes them; parts of a line are joined.
    https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
    """
    waiting: dict[bytes, tuple[bytes, list[bytes]]] = {}  # by stream: the first part's time, and all parts
    for line in _lines(path):
        found = _CRI.match(line)
        if found is None:
            if line.strip():
                yield line
            continue
        time, parts = waiting.pop(found[2], (found[1], []))
        parts.append(line[found.end() :])
        if found[3] == b"F":
            yield _log_record(parts, time=found[1], stream=found[2])
        else:
            waiting[found[2]] = time, parts
    for stream, (time, parts) in waiting.items():
        yield _log_record(parts, time=time, stream=stream)


def _consumed_values(path: Path) -> Iterator[bytes]:
    """Yield the values that kafka-console-consumer printed.

    What it printed before each is dropped: Kafka adds it anew.
    """
    for line in _lines(path):
        if line.strip():
            yield _CONSUMED.sub(b"", line, count=1)


def _text_values(path: Path) -> Iterator[bytes]:
    """Yield each line that begins with a date and time.

    Together with those after it that do not (a stack trace).
    """
    whole: list[bytes] = []
    for line in _lines(path):
        if whole and text_lines.START.match(line):
            yield text_lines.record(whole)
            whole = []
        if line.strip() or whole:
            whole.append(line)
    if whole:
        yield text_lines.record(whole)


def _log_record(parts: list[bytes], **fields: bytes) -> bytes:
    decoded = {name: value.decode("utf-8", "surrogateescape") for name, value in fields.items()}
    return text_lines.json_bytes({"log": b"".join(parts).decode("utf-8", "surrogateescape")} | decoded)


_PAIR = re.compile(rb'([\w.@/-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))(?:\s+|$)')
_ESCAPED = re.compile(rb'\\(["\\nrt])')
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _logfmt_values(path: Path) -> Iterator[bytes]:
    """Yield lines of `key=value` as objects, others as they are.

    https://brandur.org/logfmt
    """
    for line in _lines(path):
        if line.strip():
            yield _logfmt_record(line) or line


def _logfmt_record(line: bytes) -> bytes | None:
    fields, at = {}, 0
    while at < len(line):
        found = _PAIR.match(line, at)
        if found is None:
            return None
        value = found[3] if found[2] is None else _ESCAPED.sub(lambda e: _ESCAPES.get(e[1], e[1]), found[2])
        keep(fields, found[1].decode(), value.decode("utf-8", "surrogateescape"))
        at = found.end()
    return text_lines.json_bytes(fields)


def _extended_values(path: Path) -> Iterator[bytes]:
    """Yield rows under the columns of the last `#Fields` line.

    W3C's extended log format (IIS), Zeek's.
    https://www.w3.org/TR/WD-logfile.html
    """
    columns: list[str] = []
    for line in _lines(path):
        cells = line.decode("utf-8", "surrogateescape").split("\t" if b"\t" in line else None)
        if line.startswith((b"#Fields:", b"#fields")):
            columns = cells[1:]
        elif line.strip() and not line.startswith(b"#"):
            yield text_lines.json_bytes(text_lines.cells(cells, columns)) if columns else line


def _compose_values(path: Path) -> Iterator[bytes]:
    """Yield lines of `docker compose logs`, with their service.

    Lines of a container after one that begins with a time, and without one, belong to it.
    https://docs.docker.com/reference/cli/docker/compose/logs/
    """
    waiting: dict[bytes, list[bytes]] = {}  # by container, whose lines alternate
    for line in _lines(path):
        found = _COMPOSE.match(line)
        if found is None:
            if line.strip():
                yield line
            continue
        name, rest = found[1], line[found.end() :]
        whole = waiting.setdefault(name, [])
        if whole and not _continues(whole, rest):
            yield _compose_record(name, whole)
            whole.clear()
        if rest.strip() or whole:
            whole.append(rest)
    for name, whole in waiting.items():
        if whole:
            yield _compose_record(name, whole)


def _continues(whole: list[bytes], line: bytes) -> bool:
    begun = text_lines.START.match(whole[0]) and len(whole) <= _LONGEST_TRACE
    return bool(begun) and not line.startswith(b"{") and not text_lines.START.match(line)


def _compose_record(name: bytes, lines: list[bytes]) -> bytes:
    container = name.decode("utf-8", "surrogateescape")
    return text_lines.record(lines, container_name=container, service=_REPLICA.sub("", container))


def _is_compose(lines: list[bytes]) -> bool:
    """Return whether most lines have a container's name in front.

    Its number tells it from the first cell of a table with bars; so does, where it has none, that no bar follows.
    """
    shown = [line for line in lines if line.strip()]
    found = [match for match in map(_COMPOSE.match, shown) if match]
    behind = [match.string[match.end() :] for match in found]
    begun = sum(text.startswith(b"{") or bool(text_lines.START.match(text)) for text in behind)
    if 2 * len(found) <= len(shown) or not begun:
        return False
    names = {match[1].decode() for match in found}
    tabular = any(b" | " in text for text in behind) or any(normalise_level(name) != "UNKNOWN" for name in names)
    return any(map(_REPLICA.search, names)) or not tabular and 2 * begun > len(found)


_COMPOSE = re.compile(rb"([a-z0-9][\w.-]*) +\| ?")
_REPLICA = re.compile(r"[-_]\d{1,4}$")
_READERS = {
    _CRI: _cri_values,
    _CONSUMED: _consumed_values,
    re.compile(rb"#(?:(?:Fields|Software|Version|Date):|(?:fields|separator)\b)"): _extended_values,
    re.compile(rb"(?:ts|time|t|timestamp|level|lvl)=\S.* \w+=\S"): _logfmt_values,
}
"""Readers by how a file's first line begins."""

# -- CSV -------------------------------------------------------------------------------------------

_DELIMITERS = ",;\t|"
_KUBERNETES = {"podname": "pod_name", "container": "container_name", "containername": "container_name", "node": "host"}
_IDS = {"traceid": "trace_id", "spanid": "span_id"}
_COLUMN_TIMES = ("timestamp", "timeunixnano", "time")
_KNOWN_COLUMNS = frozenset(place.path for place in (*GENERAL.time, *GENERAL.message, *GENERAL.level))


def _csv_values(path: Path) -> Iterator[bytes]:
    csv.field_size_limit(sys.maxsize)
    with _opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        first = next((line for line in text if line.strip()), "")
        rows = csv.reader(_Lines(first, text), delimiter=_delimiter(first))
        try:
            columns = _Columns(_unique_names(next(rows)))
            for row in rows:
                if row:
                    yield columns.value(row)
        except csv.Error as error:
            raise InputError(f"Cannot read {path}: line {rows.line_num} is no CSV ({error}).") from None


class _Lines:
    """Lines of a text whose first was read before."""

    def __init__(self, first: str, rest: Iterator[str]) -> None:
        self._first: str | None = first
        self._rest = rest

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        first, self._first = self._first, None
        return next(self._rest) if first is None else first


def _unique_names(header: list[str]) -> list[str]:
    """Return column names that differ.

    An empty one is `column_<n>`, one that occurs twice gets its number.
    """
    names: list[str] = []
    for number, name in enumerate(header, 1):
        name = name.strip() or f"column_{number}"
        names.append(name if name not in names else f"{name}_{number}")
    return names


class _Columns:
    """Columns of a CSV file, and what each becomes."""

    def __init__(self, header: list[str]) -> None:
        folded = {fold(name): name for name in reversed(header)}
        self._header = header
        self._log = folded.get("log")
        self._times = {"timestamp", *(name for name in header if fold(name) in _COLUMN_TIMES)}
        self._kubernetes = {name: _KUBERNETES[fold(name)] for name in header if fold(name) in _KUBERNETES}
        self._ids = {name: _IDS[fold(name)] for name in header if fold(name) in _IDS}

    def value(self, row: list[str]) -> bytes:
        """Return a row as the value of a Kafka record.

        Cells keep their text; cells beyond the header are kept as `_extra_cells`, missing ones are left out. If a
        column `Log` holds container-runtime JSON, the value is that object with the row's other columns as Fluent Bit
        names them (`kubernetes.pod_name`, …) and `trace_id`, `span_id`. Bytes that are no UTF-8 stay as they are.
        """
        cells: dict[str, Any] = dict(zip(self._header, row, strict=False))
        if len(row) > len(self._header):
            keep(cells, "_extra_cells", row[len(self._header) :])
        return self._contained(cells) or text_lines.json_bytes(cells)

    def _contained(self, cells: dict[str, Any]) -> bytes | None:
        """Return the object in the column `Log`, None without one.

        With the other columns.
        """
        try:
            record = read_json(cells[self._log].encode()) if self._log in cells else None
            if not isinstance(record, dict) or not isinstance(record.get("log"), str):
                return None
            return self._with_metadata(record, cells)
        except (Refused, UnicodeEncodeError):  # another kind of text, or no UTF-8: the row goes as it is
            return None

    def _with_metadata(self, record: dict[str, Any], cells: dict[str, Any]) -> bytes:
        kubernetes: dict[str, str] = {}
        described = "kubernetes" in record
        for name, cell in cells.items():
            short = self._kubernetes.get(name)
            if name == self._log or name in self._times:
                continue
            if short and not described and short not in kubernetes:
                kubernetes[short] = cell
            else:
                keep(record, self._ids.get(name, name), cell)
        if kubernetes:
            record["kubernetes"] = kubernetes
        self._add_times(record, cells)
        return dump_json(record)

    def _add_times(self, record: dict[str, Any], cells: dict[str, Any]) -> None:
        """Add the row's times that differ from the record's own."""
        own = record.get("time")
        times = [(name, cell) for name, cell in cells.items() if name in self._times and cell != own]
        moment = micros_of(own) if times else None
        for name, cell in times:
            if moment is None or micros_of(cell) != moment:
                keep(record, name, cell)


# -- moving times ----------------------------------------------------------------------------------


def _shifted(values: Iterator[bytes], parser: Parser, shift_to: datetime) -> Iterator[Record]:
    target = (shift_to - EPOCH) // timedelta(microseconds=1)
    limit = max(target, time.time_ns() // 1_000)  # a clock that is years ahead must not move all others back
    records, newest = (_record(value, parser, limit) for value in values), _NO_LIMIT
    with tempfile.TemporaryFile() as waiting:
        while some := list(islice(records, _TOGETHER)):
            newest = max([newest, *(moment for record in some for moment in record.times)])
            pickle.dump(list(zip(*some, strict=True)), waiting)  # columns, at less cost than records
        shift = Shift((target - newest) // 1_000_000 if newest >= 0 else 0, parser.formats)
        end, _ = waiting.tell(), waiting.seek(0)
        while waiting.tell() < end:
            yield from map(shift.record, map(Record, *pickle.load(waiting)))
