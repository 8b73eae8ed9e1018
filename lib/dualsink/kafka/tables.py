"""Tables: rows of CSV as objects under a header's names."""

import csv
import io
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import dropwhile, islice
from pathlib import Path
from typing import IO, Any

from dualsink.errors import InputError
from dualsink.events.catalogue import GENERAL
from dualsink.events.draft import keep
from dualsink.events.formats import fold
from dualsink.events.model import Refused
from dualsink.events.strict_json import dump_json, read_json
from dualsink.events.timestamps import micros_of
from dualsink.kafka import text_lines

CSVLOG = (
    "timestamp", "user", "dbname", "pid", "remote", "session_id", "line_num", "ps", "session_start", "vxid", "txid",
    "error_severity", "state_code", "message", "detail", "hint", "internal_query", "internal_position", "context",
    "statement", "cursor_position", "func_name", "application_name", "backend_type", "leader_pid", "query_id",
)  # fmt: skip
"""Columns of PostgreSQL's csvlog, which has no header, under the names of its jsonlog.

https://www.postgresql.org/docs/current/runtime-config-logging.html
"""
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_LARGEST_CELL = 16 * 1024 * 1024  # characters; an open quote ends there at the latest
_KUBERNETES = {"podname": "pod_name", "container": "container_name", "containername": "container_name", "node": "host"}
_IDS = {"traceid": "trace_id", "spanid": "span_id"}
_COLUMN_TIMES = ("timestamp", "timeunixnano", "time")
KNOWN_TIMES = frozenset(place.path for place in GENERAL.time)
"""Folded names of times."""
KNOWN_SAYINGS = frozenset(place.path for place in (*GENERAL.level, *GENERAL.message))
"""Folded names of levels and messages."""
_KNOWN_COLUMNS = KNOWN_TIMES | KNOWN_SAYINGS


def is_table(lines: list[bytes]) -> bool:
    """Return whether two lines have as many columns."""
    texts = [line.decode("utf-8", "replace") for line in lines if line.strip()][:2]
    delimiter = _delimiter(texts[0])
    counts = {text.count(delimiter) for text in texts}
    return len(counts) == 1 and counts != {0}


def columns_of(line: str) -> list[str]:
    """Return the cells of a line.

    Between the delimiter that it has most.
    """
    try:
        return next(csv.reader([line], delimiter=_delimiter(line)), [])
    except csv.Error:  # a cell that is larger than any name
        return []


def has_known_name(names: Iterable[str], known: Collection[str] | None = None) -> bool:
    """Return whether one of the names is known.

    As one of a time, level or message if `known` does not say otherwise.
    """
    return any(fold(name.strip()) in (known or _KNOWN_COLUMNS) for name in names)


def is_known_header(line: bytes) -> bool:
    """Return whether a header has a known name."""
    names = columns_of(line.decode("utf-8", "replace"))
    return len(names) > 1 and has_known_name(names)


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=_QUOTED.sub("", line).count)


def values(path: Path, file: IO[bytes], banner: int = 0, names: Sequence[str] = ()) -> Iterator[bytes]:
    """Yield the rows of a file as objects.

    Under the names of its header, or `names` if it has none. `banner` lines before the header, and rows whose quotes do
    not fit, go as they are. Raises InputError if there is a header alone.
    """
    csv.field_size_limit(_LARGEST_CELL)
    lines = _Lines(dropwhile(str.isspace, io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")))
    yield from (_raw(line) for line in islice(lines, banner) if line.strip())
    lines.forget()
    first = next(lines)
    lines.rewind()
    rows = _rows(lines, _delimiter(first), _is_padded(first))
    header = names or next(rows)
    if isinstance(header, str):
        raise InputError(f"Cannot read {path}: its header is no CSV, a quote has no partner.")
    columns, empty = _Columns(_unique_names(header)), True
    for row in filter(None, rows):
        yield _raw(row) if isinstance(row, str) else columns.value(row)
        empty = False
    if empty:
        raise InputError(f"Cannot read {path}: it has a header and no rows.")


def _is_padded(header: str) -> bool:
    """Return whether spaces precede all names but the first."""
    _, *others = columns_of(header)
    return bool(others) and all(name.startswith(" ") for name in others)


def _raw(line: str) -> bytes:
    return line.rstrip("\r\n").encode("utf-8", "surrogateescape")


def _rows(lines: "_Lines", delimiter: str, padded: bool) -> Iterator[list[str] | str]:
    """Yield rows, or the text of what is none.

    A line may escape quotes by backslashes. `padded` cells have spaces around them.
    """
    while True:
        try:
            for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=padded, strict=True):
                yield [cell.strip(" ") for cell in row] if padded else row
                lines.forget()
            return
        except csv.Error:
            lines.rewind()
        line = next(lines)
        lines.forget()
        yield _escaped_row(line, delimiter) or line


def _escaped_row(line: str, delimiter: str) -> list[str] | None:
    if '\\"' not in line:
        return None
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, escapechar="\\", doublequote=False))
    except csv.Error:
        return None


class _Lines:
    """Lines of a text that may be read again."""

    def __init__(self, rest: Iterator[str]) -> None:
        self._rest = rest
        self._read: list[str] = []
        self._again: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._rest)
        self._read.append(line)
        return line

    def forget(self) -> None:
        """Forget the lines that were read."""
        self._read.clear()

    def rewind(self) -> None:
        """Have the lines read again."""
        self._again.extendleft(reversed(self._read))
        self._read.clear()


def _unique_names(header: Sequence[str]) -> list[str]:
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
