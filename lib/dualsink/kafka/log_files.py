"""Log files as Kafka records, their kind recognised by content.

NDJSON, CSV, CRI and lines of text, plain or gzip. What is no record in itself becomes one: a CSV row an object under
the header's names, a line of text or of a container runtime the object that Fluent Bit would make of it.
"""

import gzip
import pickle
import re
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson

from dualsink.errors import InputError
from dualsink.events.draft import keep
from dualsink.events.levels import normalise_level
from dualsink.events.model import EPOCH
from dualsink.events.parser import Event, Parser
from dualsink.events.reading import Reading
from dualsink.kafka import exported, tables, text_lines, unreadable
from dualsink.kafka.records import Record, Records
from dualsink.kafka.shifting import Shift
from dualsink.parallel import Helpers

_BANNER = 10  # lines at a file's head among which the first JSON object is looked for
_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\S+) (stdout|stderr) ([FP]) ?")
_CONSUMED = re.compile(rb"(?:(?:CreateTime|LogAppendTime|NoTimestamp|Partition|Offset):\S*\t)+[^{]*(?=\{)")
_NO_LIMIT = -1  # a Kafka timestamp that no event is ahead of
PIECE = 128 * 1024  # bytes that are parsed or moved together
ALONE = 64  # pieces on which helpers would save what their start takes
_SAMPLE = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_BLANK_LINES = re.compile(rb"\A(?:[ \t]*[\r\n]+)+")
_LONGEST_TRACE = 1000  # lines after the one with the time


def read(path: Path, reading: Reading, shift_to: datetime | None = None) -> Records:
    """Read every record of a log file, in order.

    Nothing is checked here, that is the parser's work. NDJSON: the bytes of each line without its line end; blank lines
    are no records, a malformed line is one. CSV: each row as a JSON object under the header's names, see
    `_Columns.value`. Text: each line that begins with a date and time, with the lines after it that do not, as `log`.
    Keys are the service that `reading` finds, empty for what it refuses. `shift_to` (UTC if it has no zone) moves all
    event times by the same whole seconds, so that the newest is in the second before; the records then wait in a
    temporary file for the first pass. Raises InputError with path and reason: missing, empty, binary or unknown; later
    for a damaged archive.
    """
    path = Path(path)
    values = _reader(path)
    if shift_to is None:
        parser = reading.parser
        return (_record(value, parser) for value in values(path))
    return _shifted(values(path), reading, shift_to if shift_to.tzinfo else shift_to.replace(tzinfo=UTC))


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
    first = outcomes[0]
    key = first.service.encode() if isinstance(first, Event) and len(outcomes) == 1 else b""
    return Record(key, value, None, tuple([o.timestamp for o in outcomes if isinstance(o, Event)]))


# -- which kind of file ----------------------------------------------------------------------------


def _reader(path: Path) -> Callable[[Path], Iterator[bytes]]:
    """Choose the function that reads this file's records.

    Raises InputError if the file's kind is not recognised.
    """
    with _opened(path) as file:
        sample = file.read(_SAMPLE).removeprefix(_BOM)
        blank = not sample.strip()
        while blank and (more := file.read(_SAMPLE)):
            sample, blank = more, not more.strip()
        if b"\n" not in sample.lstrip():
            sample += file.readline()
    if blank:
        raise InputError(f"Cannot read {path}: the file is empty.")
    unreadable.refuse_binary(path, sample)
    lines = _BLANK_LINES.sub(b"", sample).splitlines()
    return _reader_of_lines(path, lines, {suffix.lower() for suffix in path.suffixes})


def _reader_of_lines(path: Path, lines: list[bytes], suffixes: set[str]) -> Callable[[Path], Iterator[bytes]]:
    first = lines[0].strip()
    if first.startswith(b"{") and exported.is_export_line(first):
        return _exported_values
    named_json = bool(suffixes & {".ndjson", ".jsonl"})
    if not named_json and (reader := _text_reader(text_lines.plain(lines[0]))):
        return reader
    unreadable.refuse_split_json(path, first, suffixes)
    if named_json or first.startswith(b"{"):
        return _ndjson_values
    if tables.is_known_header(first):
        return _known_csv(path, first.decode("utf-8", "replace"))
    if _is_compose(lines[:_BANNER]):
        return partial(_prefixed_values, _COMPOSE)
    if suffixes & {".csv", ".tsv"} or (tables.is_table(lines) and not unreadable.told(lines[:_BANNER])):
        return _csv_behind(path, lines)
    return _reader_behind(path, lines)


def _text_reader(first: bytes) -> Callable[[Path], Iterator[bytes]] | None:
    """Return the reader that a first line of text names.

    None if it names none.
    """
    for mark, reader in _READERS.items():
        if mark.match(first):
            return reader
    if text_lines.is_event(first):
        return _text_values
    return _logfmt_values if _LOGFMT.match(first) else None


def _reader_behind(path: Path, lines: list[bytes]) -> Callable[[Path], Iterator[bytes]]:
    """Choose the reader by a line behind the first.

    What is before it, a banner, is sent too and refused. Raises InputError if none does.
    """
    for line in map(text_lines.plain, lines[1:]):
        if line.startswith(b"{") and line.rstrip().endswith(b"}"):
            return _ndjson_values
        if reader := _text_reader(line):
            return reader
    raise unreadable.unknown(path, lines[:_BANNER])


def _csv_behind(path: Path, lines: list[bytes]) -> Callable[[Path], Iterator[bytes]]:
    """Choose the reader of CSV whose header comes late.

    Behind comments, `sep=;` or a title, which are sent too and refused. Raises InputError without a known header.
    """
    for number, line in enumerate(lines[:_BANNER]):
        names = tables.columns_of(line.decode("utf-8", "replace"))
        if len(names) > 1 and tables.has_known_name(names, tables.KNOWN_TIMES):
            return partial(_csv_values, banner=number)
    return _known_csv(path, lines[0].strip().decode("utf-8", "replace"))


def _known_csv(path: Path, first: str) -> Callable[[Path], Iterator[bytes]]:
    """Choose the reader of a CSV file.

    Raises InputError if its first line is no header.
    """
    names = tables.columns_of(first)
    if not tables.has_known_name(names):
        raise InputError(
            f"Cannot read {path}: its first line is no CSV header, no column (between `,` `;` `|` or tabs) has a known "
            "name for a time or a message. Put a header such as `timestamp,level,message` before it."
        )
    return _exported_rows if exported.is_export(names) else _csv_values


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if it is gzip.

    Every failure to read becomes an InputError.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"Cannot read {path}: it is read twice, so it must be a regular file; save it to one.")
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


# -- CSV -------------------------------------------------------------------------------------------


def _csv_values(path: Path, banner: int = 0, names: Sequence[str] = ()) -> Iterator[bytes]:
    with _opened(path) as file:
        yield from tables.values(path, file, banner, names)


def _csvlog_values(path: Path) -> Iterator[bytes]:
    """Yield rows of PostgreSQL's csvlog."""
    return _csv_values(path, names=tables.CSVLOG)


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

    Together with those after it that do not (a stack trace); JSON of a logger among them is a record of its own.
    """
    whole: list[bytes] = []
    for line in map(text_lines.plain, _lines(path)):
        if whole and (len(whole) > _LONGEST_TRACE or text_lines.START.match(line) or _is_logged(line)):
            yield text_lines.record(whole)
            whole = []
        if line.strip() or whole:
            whole.append(line)
        if len(whole) == 1 and _is_logged(line):
            yield line
            whole = []
    if whole:
        yield text_lines.record(whole)


def _is_logged(line: bytes) -> bool:
    """Return whether a line is JSON of a logger.

    An object with a time, and with a level or message.
    """
    if not line.startswith(b"{") or not line.endswith(b"}"):
        return False
    try:
        names = orjson.loads(line).keys()
    except (orjson.JSONDecodeError, AttributeError):
        return False
    return tables.has_known_name(names, _LOGGED_TIMES) and tables.has_known_name(names, tables.KNOWN_SAYINGS)


_LOGGED_TIMES = frozenset(("timestamp", "time", "ts", "t", "datetime", "eventtime", "asctime", "instant", "timemillis"))
"""Folded names of times that loggers give; those of payloads, such as `created`, are not here."""


def _log_record(parts: list[bytes], **fields: bytes) -> bytes:
    decoded = {name: value.decode("utf-8", "surrogateescape") for name, value in fields.items()}
    return text_lines.json_bytes({"log": b"".join(parts).decode("utf-8", "surrogateescape")} | decoded)


_LOGFMT = re.compile(
    rb"(?=[\w.@/-]{1,100}=\S)(?=(?:.*\s)?(?:ts|time|t|timestamp|date|level|lvl)=\S).*\S \w[\w.@/-]*=\S"
)
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


_NAMED_FIELDS = re.compile(rb"#(?:Fields:|fields)[ \t]*")


def _extended_values(path: Path) -> Iterator[bytes]:
    """Yield rows under the columns of the last `#Fields` line.

    W3C's extended log format (IIS), Zeek's.
    https://www.w3.org/TR/WD-logfile.html
    """
    columns: list[str] = []
    empty = True
    for line in _lines(path):
        head = _NAMED_FIELDS.match(line)
        row = line[head.end() :] if head else line
        cells = row.decode("utf-8", "surrogateescape").split("\t" if b"\t" in row else None)
        if head:
            columns = cells
        elif line.strip() and not line.startswith(b"#"):
            yield text_lines.json_bytes(text_lines.cells(cells, columns)) if columns else line
            empty = False
    if empty:
        raise InputError(f"Cannot read {path}: it has a header and no rows.")


def _prefixed_values(prefix: re.Pattern[bytes], path: Path) -> Iterator[bytes]:
    """Yield lines behind the name of their container.

    Of `docker compose logs`, `docker service logs`, `kubectl logs --prefix`. Lines of a container after one that begins
    with a time, and without one, belong to it.
    https://docs.docker.com/reference/cli/docker/compose/logs/
    https://kubernetes.io/docs/reference/kubectl/generated/kubectl_logs/
    """
    waiting: dict[bytes, list[bytes]] = {}  # by container, whose lines alternate
    for line in map(text_lines.plain, _lines(path)):
        found = prefix.match(line)
        if found is None:
            if line.strip():
                yield line
            continue
        name, rest = found[0], line[found.end() :]
        whole = waiting.setdefault(name, [])
        if whole and not _continues(whole, rest):
            yield text_lines.record(whole, **_origin(found))
            whole.clear()
        if rest.strip() or whole:
            whole.append(rest)
    for name, whole in waiting.items():
        if whole and (found := prefix.match(name)):
            yield text_lines.record(whole, **_origin(found))


def _continues(whole: list[bytes], line: bytes) -> bool:
    begun = text_lines.START.match(whole[0]) and len(whole) <= _LONGEST_TRACE
    return bool(begun) and not line.startswith(b"{") and not text_lines.START.match(line)


def _origin(found: re.Match[bytes]) -> dict[str, str]:
    """Return what a prefix says of its line.

    The container, and its service, pod or host.
    """
    named = {name: part.decode("utf-8", "surrogateescape") for name, part in found.groupdict().items() if part}
    if "pod_name" not in named:
        named["service"] = _REPLICA.sub("", named["container_name"])
    return named


def _is_compose(lines: list[bytes]) -> bool:
    """Return whether most lines have a container's name in front.

    Its number tells it from the first cell of a table with bars; so does, where it has none, that no bar follows.
    """
    shown = [line for line in lines if line.strip()]
    found = [match for match in map(_COMPOSE.match, map(text_lines.plain, shown)) if match]
    behind = [match.string[match.end() :] for match in found]
    begun = sum(text.startswith(b"{") or bool(text_lines.START.match(text)) for text in behind)
    if 2 * len(found) <= len(shown) or not begun:
        return False
    names = {match[1].decode() for match in found}
    tabular = any(b" | " in text for text in behind) or any(normalise_level(name) != "UNKNOWN" for name in names)
    return any(map(_REPLICA.search, names)) or not tabular and 2 * begun > len(found)


_COMPOSE = re.compile(rb"(?P<container_name>[a-z0-9][\w.-]*)(?:@(?P<host>[\w.-]+))? +\| ?")
_KUBECTL = re.compile(rb"\[pod/(?P<pod_name>[^/\]\s]+)/(?P<container_name>[^\]\s]+)\] ")
_REPLICA = re.compile(r"(?:[-_]\d{1,4}|\.\d{1,4}\.\w+)$")
_READERS = {
    _CRI: _cri_values,
    _CONSUMED: _consumed_values,
    _KUBECTL: partial(_prefixed_values, _KUBECTL),
    re.compile(rb'\d{4}-\d\d-\d\d [\d:.]{12} \S{1,40},(?:"[^"]*")?,(?:"[^"]*")?,\d+,"'): _csvlog_values,
    re.compile(rb"#(?:(?:Fields|Software|Version|Date):|(?:fields|separator)\b)"): _extended_values,
}
"""Readers by how a file's first line begins."""

# -- moving times ----------------------------------------------------------------------------------


def _shifted(values: Iterator[bytes], reading: Reading, shift_to: datetime) -> Records:
    target = (shift_to - EPOCH) // timedelta(microseconds=1)
    limit = max(target, time.time_ns() // 1_000)  # a clock that is years ahead must not move all others back
    newest = _NO_LIMIT
    with Helpers(ALONE) as helpers, tempfile.TemporaryFile() as waiting:
        for moment, piece in helpers.map(partial(_parsed, reading, limit), _pieces(values)):
            newest = max(newest, moment)
            pickle.dump(piece, waiting)
        shift = Shift((target - newest) // 1_000_000 if newest >= 0 else 0, reading.parser.formats)
        for columns in helpers.map(partial(_moved, shift), _read_back(waiting)):
            yield from map(Record, *columns)


Columns = list[tuple[Any, ...]]
"""Records as columns, which are pickled at less cost."""


def _pieces(values: Iterator[bytes]) -> Iterator[list[bytes]]:
    piece, size = [], 0
    for value in values:
        piece.append(value)
        size += len(value)
        if size >= PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _parsed(reading: Reading, limit: int, values: list[bytes]) -> tuple[int, bytes]:
    """Return the newest time of values, and their records, pickled."""
    parser = reading.parser
    records = [_record(value, parser, limit) for value in values]
    newest = max((moment for record in records for moment in record.times), default=_NO_LIMIT)
    return newest, pickle.dumps(list(zip(*records, strict=True)))


def _moved(shift: Shift, piece: bytes) -> Columns:
    return list(zip(*map(shift.record, map(Record, *pickle.loads(piece))), strict=True))


def _read_back(waiting: IO[bytes]) -> Iterator[bytes]:
    end, _ = waiting.tell(), waiting.seek(0)
    while waiting.tell() < end:
        yield pickle.load(waiting)
