"""Unreadable files: what they are, and what to do."""

import json
import re
from pathlib import Path

from dualsink.errors import InputError

_ARRAY = re.compile(rb"\[\s*(?:$|[{\[\]\"]|\d+\s*[,\]])")
_DECODER = json.JSONDecoder()
_MAGIC = {
    b"\x1f\x8b": ("gzip within gzip", "unpack it once with `gunzip`"),
    b"PK\x03\x04": ("a zip archive", "unpack it with `unzip`"),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "unpack it with `unzstd`"),
    b"BZh": ("compressed with bzip2", "unpack it with `bunzip2`"),
    b"\xfd7zXZ": ("compressed with xz", "unpack it with `unxz`"),
    b"PAR1": ("a Parquet file", "write it as NDJSON"),
    b"Obj\x01": ("an Avro file", "write it as NDJSON with `avro-tools tojson`"),
    b"SQLite format 3": ("an SQLite database", "write its rows as CSV"),
    b"ElfFile": ("a Windows event log", "export it with `Get-WinEvent | ConvertTo-Json -Compress`"),
    b"LPKSHHRH": ("a systemd journal", "write it with `journalctl --output json --file`"),
    b"\xff\xfe": ("UTF-16 text", "convert it with `iconv -f UTF-16 -t UTF-8`"),
    b"\xfe\xff": ("UTF-16 text", "convert it with `iconv -f UTF-16 -t UTF-8`"),
    b"\x7fELF": ("a program", "give a log file"),
    b"\x89PNG": ("a picture", "give a log file"),
    b"%PDF": ("a PDF document", "give a log file"),
}
"""What the first bytes say of a file, and what to do."""
_ARRAYS, _OBJECTS = "convert the array with `jq -c '.[]'`", "convert it with `jq -c .`"
_COMMAS = "take the comma at the end of each line off with `sed 's/,$//'`"
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_TOLD = {
    re.compile(rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"): "its times have no year; have syslog write "
        "whole ones (rsyslog's RSYSLOG_FileFormat, `journalctl --output short-iso`)",
    re.compile(rb"[IWEF]\d{4} \d\d:\d\d"): "its times have no year; have the component log JSON "
        "(`--logging-format=json`)",
    re.compile(rb"\[?\d\d:\d\d:\d\d"): "its lines begin with a time of day, without a date; have the logger write both",
    re.compile(rb"\[? *\d+\.\d+s?\]"): "its lines begin with the time since a start; have dates written "
        "(`dmesg --time-format iso`, `-Xlog:gc*::time`)",
    re.compile(rb"\[?\d\d([/.-])\d\d\1(?:\d{4}|\d\d)[ ,:T]|\d{6} \d{6} "): "the order of year, month and day in its "
        "dates is unknown; have the logger write `yyyy-MM-dd`",
    re.compile(rb"__CURSOR="): "it is the journal's export format; write it with `journalctl --output json`",
    re.compile(rb"<[?!a-zA-Z]"): "it is XML or HTML; write it as one JSON object a line",
}  # fmt: skip
"""What a line at the head of a file says of lines that cannot be read."""


def refuse_binary(path: Path, sample: bytes) -> None:
    """Raise InputError if a file's first bytes are no text."""
    kind, remedy = next((kind for magic, kind in _MAGIC.items() if sample.startswith(magic)), ("", ""))
    if not kind and len(_BINARY.findall(sample)) > len(sample) // 10:
        kind, remedy = _binary_kind(sample)
    if kind:
        raise InputError(f"Cannot read {path}: it is {kind}; {remedy}.")


def refuse_split_json(path: Path, first: bytes, suffixes: set[str]) -> None:
    """Raise InputError if a line is JSON in parts."""
    if remedy := _remedy(first, suffixes):
        raise InputError(f"Cannot read {path}: one JSON object a line is expected; {remedy}.")


def reasons() -> list[tuple[str, str]]:
    """Return all kinds of files and what to do."""
    kinds = list(dict.fromkeys(_MAGIC.values()))
    kinds += [("a JSON array", _ARRAYS), ("JSON over several lines", _OBJECTS), ("JSON with commas", _COMMAS)]
    return [*kinds, *((what, remedy) for what, _, remedy in (reason.partition("; ") for reason in _TOLD.values()))]


def told(lines: list[bytes]) -> str | None:
    """Return what lines lack and what to do, or None."""
    return next((reason for mark, reason in _TOLD.items() if any(map(mark.match, lines))), None)


def unknown(path: Path, lines: list[bytes]) -> InputError:
    """Return the error for lines of no known form."""
    if reason := told(lines):
        return InputError(f"Cannot read {path}: lines that begin with a date and time are expected; {reason}.")
    return InputError(
        f"Cannot read {path}: neither NDJSON (lines of JSON objects), CSV with a header, nor lines that begin with "
        "a date and time. Lines without a time get one by `kubectl logs --timestamps` or `docker logs --timestamps`."
    )


def _remedy(first: bytes, suffixes: set[str]) -> str:
    """Return what makes JSON one value a line."""
    if first == b"[" or (_ARRAY.match(first) and not suffixes & {".csv", ".ndjson", ".jsonl"}):
        return _ARRAYS
    if not first.startswith(b"{"):
        return ""
    rest = b"" if first == b"{" else _behind_object(first)
    if rest == b",":
        return _COMMAS
    return _OBJECTS if rest == b"" or rest.startswith(b"{") else ""


def _behind_object(line: bytes) -> bytes:
    """Return what follows an object, `?` for nothing."""
    text = line.decode("utf-8", "surrogateescape")
    try:
        _, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return b"?"
    return text[end:].strip().encode("utf-8", "surrogateescape") or b"?"


def _binary_kind(sample: bytes) -> tuple[str, str]:
    if sample[257:262] == b"ustar":
        return "a tar archive", "unpack it with `tar -xf`"
    even, odd = sample[::2], sample[1::2]
    for zeros, letters, order in ((odd, even, "LE"), (even, odd, "BE")):
        if zeros.count(0) > 0.9 * len(zeros) and letters.count(0) < 0.1 * len(letters):
            return "UTF-16 text", f"convert it with `iconv -f UTF-16{order} -t UTF-8`"
    if not _BINARY.search(sample.replace(b"\0", b"")):
        return "text with binary zeros, which a rotation leaves", "take them out with `tr -d '\\000'`"
    return "binary", "NDJSON, CSV or text in UTF-8 is expected, plain or gzip"
