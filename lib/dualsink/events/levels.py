"""Levels: every spelling and number becomes one of seven.

A number means what its scale says: 3 is an error to syslog, a warning to .NET and Nextcloud, TRACE3 to OpenTelemetry.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from dualsink.events.model import LEVELS, MAX_FIELD, Reason, Refused, wrong_type
from dualsink.events.strict_json import Number

# Spellings that say no more than the canonical name: the original is not retained.
_PLAIN = {
    "TRACE": "TRACE", "TRC": "TRACE", "TRCE": "TRACE", "T": "TRACE", "DEBUG": "DEBUG", "DBG": "DEBUG", "DEBG": "DEBUG",
    "DBUG": "DEBUG", "FAIL": "ERROR", "EROR": "ERROR",
    "D": "DEBUG", "INFO": "INFO", "INF": "INFO", "I": "INFO", "INFORMATION": "INFO", "INFORMATIONAL": "INFO",
    "WARN": "WARN", "WRN": "WARN", "W": "WARN", "WARNING": "WARN", "ERROR": "ERROR", "ERR": "ERROR", "ERRO": "ERROR",
    "E": "ERROR", "FATAL": "FATAL", "F": "FATAL", "FTL": "FATAL", "UNKNOWN": "UNKNOWN",
}  # fmt: skip
# Names that are mapped, and retained because the mapping merges them with others.
_MERGED = {
    "VERBOSE": "TRACE", "VRB": "TRACE", "V": "TRACE", "ALL": "TRACE", "FINEST": "TRACE", "SILLY": "TRACE",
    "FINER": "DEBUG", "FINE": "DEBUG", "HTTP": "DEBUG", "D1": "DEBUG", "D2": "DEBUG", "D3": "DEBUG", "D4": "DEBUG",
    "D5": "DEBUG", "DEBUG1": "DEBUG", "DEBUG5": "DEBUG", "CONFIG": "INFO", "NOTICE": "INFO", "SUCCESS": "INFO",
    **{f"TRACE{number}": "TRACE" for number in range(1, 9)},
    "LOG": "INFO", "NOTE": "INFO", "AUDIT": "INFO", "DETAIL": "DEBUG", "NORMAL": "INFO",
    "CRITICAL": "FATAL", "CRIT": "FATAL", "C": "FATAL", "SEVERE": "FATAL",
    "EMERG": "FATAL", "EMERGENCY": "FATAL", "PANIC": "FATAL", "DPANIC": "FATAL", "ALERT": "FATAL", "FAILURE": "ERROR",
    "EXCEPTION": "ERROR", "FAULT": "FATAL", "NTC": "INFO",
    **dict.fromkeys(("SUCCESS AUDIT", "SUCCESSAUDIT", "AUDIT SUCCESS", "AUDIT_SUCCESS"), "INFO"),
    **dict.fromkeys(("FAILURE AUDIT", "FAILUREAUDIT", "AUDIT FAILURE", "AUDIT_FAILURE"), "ERROR"),
}  # fmt: skip
_NAMES = _PLAIN | _MERGED
PLAIN_LEVELS = (
    _PLAIN | {name.lower(): level for name, level in _PLAIN.items()}
    | {name.title(): level for name, level in _PLAIN.items()}
)  # fmt: skip
"""Usual spellings that are not retained."""

_OTEL = {number: LEVELS[(number - 1) // 4] for number in range(1, 25)}
_SYSLOG = dict(enumerate(("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")))
_TENS = {number * 10: LEVELS[number - 1] for number in range(1, 7)}
_LOGBACK = {5_000: "TRACE", 10_000: "DEBUG", 20_000: "INFO", 30_000: "WARN", 40_000: "ERROR", 50_000: "FATAL"}
_UNAMBIGUOUS = {250: "INFO", 550: "FATAL", 700: "INFO", 800: "INFO", 900: "WARN", 1_000: "FATAL"}
SCALES: dict[str, Mapping[int, str]] = {
    "any": _UNAMBIGUOUS | _LOGBACK | _OTEL | _TENS | _SYSLOG,
    "otel": _OTEL,
    "syslog": _SYSLOG,
    "logback": _LOGBACK,
    "pri": {number: _SYSLOG[number % 8] for number in range(192)},
    "lager": dict(enumerate(("DEBUG", "INFO", "ERROR", "FATAL"))),
    "pino": _TENS,
    "python": {10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "FATAL"},
    "dotnet": dict(enumerate(("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"))),
    "nextcloud": dict(enumerate(("DEBUG", "INFO", "WARN", "ERROR", "FATAL"))),
    "monolog": {100: "DEBUG", 200: "INFO", 250: "INFO", 300: "WARN", 400: "ERROR", 500: "FATAL", 550: "FATAL",
                600: "FATAL"},
    "log4j": {100: "FATAL", 200: "ERROR", 300: "WARN", 400: "INFO", 500: "DEBUG", 600: "TRACE"},
    "google": {100: "DEBUG", 200: "INFO", 300: "INFO", 400: "WARN", 500: "ERROR", 600: "FATAL", 700: "FATAL",
               800: "FATAL"},
    "windows": {0: "INFO", 1: "FATAL", 2: "ERROR", 3: "WARN", 4: "INFO", 5: "TRACE"},
    "mysql": {0: "INFO", 1: "ERROR", 2: "WARN", 3: "INFO"},
    "application insights": dict(enumerate(("DEBUG", "INFO", "WARN", "ERROR", "FATAL"))),
    "guardduty": dict(zip(range(1, 11), ("INFO",) * 3 + ("WARN",) * 3 + ("ERROR",) * 2 + ("FATAL",) * 2, strict=True)),
    "cef": dict(enumerate(("INFO",) * 4 + ("WARN",) * 3 + ("ERROR",) * 2 + ("FATAL",) * 2)),
    "coralogix": dict(enumerate(("DEBUG", "TRACE", "INFO", "WARN", "ERROR", "FATAL"), 1)),
    "cockroach": {1: "INFO", 2: "WARN", 3: "ERROR", 4: "FATAL"},
    "logr": _TENS | {0: "INFO"} | dict.fromkeys(range(1, 5), "DEBUG") | dict.fromkeys(range(5, 11), "TRACE"),
    "glog": dict(enumerate(("INFO", "WARN", "ERROR", "FATAL"))),
    "foundationdb": {5: "DEBUG", 10: "INFO", 20: "WARN", 30: "WARN", 40: "ERROR"},
    "dataset": dict(enumerate(("TRACE", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"))),
    "ocsf": {1: "INFO", 2: "INFO", 3: "WARN", 4: "ERROR", 5: "FATAL", 6: "FATAL"},
    "word": {}, "finding": {}, "outcome": {}, "alarm": {},
}  # fmt: skip
"""What the numbers of each scale mean; `word` knows names alone. `docs/formats.md` names their specifications."""
_FINDING = {"LOW": "INFO", "MEDIUM": "WARN", "HIGH": "ERROR"}
_WORDS = {
    "any": _FINDING,
    "finding": _FINDING,
    "cef": _FINDING | {"VERY-HIGH": "FATAL"},
    "alarm": {"OK": "INFO", "INSUFFICIENT_DATA": "WARN", "ALARM": "ERROR"},
    "outcome": {"OK": "INFO", "STARTED": "INFO", "SUCCEEDED": "INFO", "CANCELED": "WARN", "FAILED": "ERROR",
                "RESPONSESTREAMDISCONNECTED": "WARN", "EXCEPTION": "ERROR", "EXCEEDEDCPU": "ERROR",
                "EXCEEDEDMEMORY": "ERROR", "SCRIPTNOTFOUND": "ERROR", "KILLSWITCH": "ERROR"},
}  # fmt: skip
"""Words of a scale beside the names of levels; all of them are retained."""
_RANGES = frozenset(("guardduty",))
"""Scales whose numbers begin a range: 5.3 is read as 5, and retained."""
_MERGING = {
    "otel": {number for number in _OTEL if (number - 1) % 4}, "syslog": set(_SYSLOG), "monolog": {250, 550, 600},
    "any": set(_SYSLOG) | {number for number in _OTEL if (number - 1) % 4 and number not in _TENS},
    "google": {300, 700, 800}, "cef": set(range(11)), "pri": set(range(192)), "logr": set(range(1, 11)),
    "foundationdb": {20, 30}, "dataset": {0, 1}, "ocsf": {1, 2, 5, 6},
}  # fmt: skip
_OTEL_NAME = re.compile(r"(?:SEVERITY_NUMBER_)?(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)([2-4]?)")
_OFFSET = re.compile(r"(DEBUG|INFO|WARN|ERROR)([+-]\d{1,3})", re.ASCII)
_VERBOSITY = re.compile(r"LEVEL\(-(\d{1,3})\)", re.ASCII)
"""How zap writes logr's verbosity, whose numbers are below its own levels."""
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_CONSTANT = re.compile(r"(?:LOG|LEVEL|LOG_?LEVEL|SEV|SEVERITY|LL)_([A-Z]+)")
"""A level's name in a program, such as syslog's LOG_ERR."""
_SLOG = {"DEBUG": -4, "INFO": 0, "WARN": 4, "ERROR": 8}


class Level(NamedTuple):
    """Canonical level of a record.

    With whether the original must be retained because it says more.
    """

    name: str
    says_more: bool


_UNKNOWN, _NOTHING = Level("UNKNOWN", True), Level("UNKNOWN", False)
_USUAL = {name: Level(level, False) for name, level in PLAIN_LEVELS.items()}
_NUMBERED = {
    scale: {number: Level(level, number in _MERGING.get(scale, ())) for number, level in numbers.items()}
    for scale, numbers in SCALES.items()
}


def normalise_level(value: Any, scale: str = "any") -> str:
    """Return the canonical level of any spelling.

    UNKNOWN where it is absent or not recognised. `scale` is a name of SCALES. "any" tells by the value: 0-7 syslog (as
    GELF and journald do), 10, 20 … 60 pino and bunyan, other numbers up to 24 OpenTelemetry (9 is INFO), 5000 … 50000
    logback. Digit strings count as numbers.
    """
    return read_level(value, scale).name


def read_level(value: Any, scale: str = "any") -> Level:
    """Return the level of a scalar; see `normalise_level`."""
    kind = type(value)
    if kind is str:
        return _USUAL.get(value) or _read_name(value, scale)
    if kind is float and value.is_integer():
        value = int(value)
    elif kind is float and scale in _RANGES:
        return _NUMBERED[scale].get(int(value), _UNKNOWN)._replace(says_more=True)
    if type(value) is not int:
        return _NOTHING if value is None else _UNKNOWN
    return _NUMBERED[scale].get(value, _UNKNOWN)


def gives_way(value: Any, scale: str) -> bool:
    """Return whether a level gives way to a name elsewhere.

    A number of no known scale does, of which there are several, and its digits; so does how grave a finding is.
    """
    if scale != "any" or type(value) is not str:
        return scale == "any"
    return value not in _USUAL and (value.strip().isdecimal() or value.strip().upper() in _FINDING)


def checked_level(value: Any, scale: str) -> Level:
    """Return the level of a value that may be one.

    As `read_level` does. Raises Refused (wrong_type, field_too_long) for what no level can be.
    """
    if isinstance(value, dict | list):
        raise wrong_type("level", value)
    text = value.text if isinstance(value, Number) else value
    if isinstance(text, str) and len(text) > MAX_FIELD:
        raise Refused(Reason.FIELD_TOO_LONG, f"level has more than {MAX_FIELD} characters")
    return read_level(value, scale)


def _read_name(text: str, scale: str) -> Level:
    name = _COLOUR.sub("", text).strip().strip("[]<>:! ").upper()
    if scale in _WORDS and name in _WORDS[scale]:
        return Level(_WORDS[scale][name], True)
    if name in _NAMES:
        return Level(_NAMES[name], name not in _PLAIN or "\x1b" in text)
    if re.fullmatch(r"\d{1,5}", name, re.ASCII):
        return _NUMBERED[scale].get(int(name), _UNKNOWN)
    if found := _OTEL_NAME.fullmatch(name):
        return Level(found[1], bool(found[2]))
    if found := _VERBOSITY.fullmatch(name):
        return _NUMBERED["logr"][min(int(found[1]), 10)]
    if found := _OFFSET.fullmatch(name):
        return Level(_slog_level(_SLOG[found[1]] + int(found[2])), True)
    constant = _CONSTANT.fullmatch(name)
    last = constant[1] if constant else name.rpartition(".")[2]
    if last in _NAMES and last != name:  # LogLevel.ERROR, local0.err
        return Level(_NAMES[last], True)
    return _UNKNOWN if text else _NOTHING


def _slog_level(number: int) -> str:
    """Return the level of Go's slog for a number.

    It is the one at or under it: `INFO+2` is INFO, `DEBUG-4` is below DEBUG.
    """
    return next((name for name, least in reversed(_SLOG.items()) if number >= least), "TRACE")


def own_scale(numbers: Mapping[int, str]) -> str:
    """Register a user's own scale of numbers.

    Returns its name, which is known from now on.
    """
    name = "own " + " ".join(f"{number}={level}" for number, level in sorted(numbers.items()))
    _NUMBERED[name] = {number: Level(level, False) for number, level in numbers.items()}
    return name
