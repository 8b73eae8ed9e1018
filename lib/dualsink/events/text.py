"""Lines of text: header, stack trace and level found.

Headers of logback, Spring Boot and Python are taken apart, stack traces cut off.
"""

import re
from typing import Any

from dualsink.events.draft import Draft
from dualsink.events.heads import LEAD, MOMENT, REDIS_MARKS, WORDS
from dualsink.events.levels import Level, read_level
from dualsink.events.model import Reason, Refused
from dualsink.events.timestamps import parse_time

_STAMP = re.compile(
    r"\[?((?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?)\]?[ \t]+(?:- )?", re.ASCII
)
_TIME = re.compile(rf"{LEAD}[\[(<\"]?(?:{MOMENT})[\])>\"]?[ \t,;|:]*", re.ASCII)
_RUNTIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) [FP] ", re.ASCII
)
_STAMP_FIRST = frozenset("[0123456789")
_TIME_FIRST = _STAMP_FIRST | frozenset('(<"#JFMASONDTW')
_THREAD = re.compile(r"\[([^\]\n]*)\][ \t]+")
_LEVEL = re.compile(rf"\[?({WORDS})\]?(?=[ \t:])[ \t]*")
_CORRELATION = re.compile(r"\[([^,\]\n]*,([0-9a-f]{8,64})?[,-]([0-9a-f]{8,64})?(?:,\w*)?)\][ \t]+", re.ASCII)
_PROCESS = re.compile(r"(\d+)[ \t]+---[ \t]+", re.ASCII)
_APPLICATION = re.compile(r"\[([\w.-]+)\][ \t]+(?=\[(?![0-9a-f]{16,32}-[0-9a-f]{16}\]|[ -]*\]))", re.ASCII)
_IDS = re.compile(r"\[(?:([0-9a-f]{16,32})-([0-9a-f]{16})|[ -]*)\][ \t]+", re.ASCII)
_LOGGER = re.compile(r"([^\s\[(]\S*)[ \t]+[-:][ \t]+")
_LINE_LOGGER = re.compile(r"(\S+#\d+):?[ \t]+", re.ASCII)
_DASH = re.compile(r"[-:][ \t]+")
_PYTHON = re.compile(rf"(\S++)[ \t]++-[ \t]++({WORDS})[ \t]++-[ \t]+")
_COLOUR = re.compile(r"(?:\x1b\[[\d;]*m)+")
_LEADING = re.compile(
    rf"({WORDS})(?=[\s:|,\]\x1b]|$)|[\[<(](?i:({WORDS}|ALERT|EMERG|CRIT|ERR|WRN|INF|DBG|FTL))[\])>]"
    rf"|(?i:({WORDS})):|([IWEF])\d{{4}} \d\d:\d\d:\d\d",
    re.ASCII,
)
_TIME_OF_DAY = re.compile(r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?[ \t]+", re.ASCII)
_LEADING_FIRST = frozenset("[<(\x1b") | {letter for word in WORDS.split("|") for letter in (word[0], word[0].lower())}
_BETWEEN = (  # brackets, numbers, bars, requests, users, files between a time and a level
    r"(?:\[[^\]\n]{0,100}\][:,]?|\{[^}\n]{0,100}\}|\d{1,10}:?(?=[ \t])|[|-](?=[ \t])"
    r"|[^\s@\[\]]{1,100}@[^\s@\[\]]{1,100}(?=[ \t])|[0-9a-f]{8}-[0-9a-f-]{27}"
    r"|[\w.-]{1,60}(?:[ \t]+\[\d{1,10}\])?:(?=[ \t])|[^\s\[]{0,200}\[\d{1,10}\]:"
    r"|\d{4}/\d\d/\d\d/\[[^\]\s]{1,100}\]\w{1,64}(?=[ \t]))[ \t]*"  # a stream of `aws logs tail`
)
_BEHIND = re.compile(
    rf"(?:{_BETWEEN}){{0,4}}?"
    rf"(?:[\[<(][ \t]*(?i:({WORDS}|ERR|INF|WRN|DBG|VRB|FTL|EMERG|ALERT|CRIT|NOTE|INFORMATION))[ \t]*[\])>]"
    rf"|(?:[\w-]{{1,40}}\.)?({WORDS}|LOG|EMERGENCY|ALERT):|(?i:({WORDS})):[ \t]|(fail|dbug|trce|crit): "
    rf"|(?i:({WORDS}))(?= {{2}}|\t)|##\[(error|warning|debug)\]|PHP (Fatal|Warning|Notice)\b"
    r"|([FEWID])[ \t]+[A-Z]{3,}[ \t]+\[|([CEWNID]) \| |([DIWE])! "  # MongoDB, etcd, Telegraf
    r"|\d+[ \t]+\d+[ \t]+([VDIWEF]) \S"  # Android
    rf"|\[[^\]\n]{{1,60}}/({WORDS})\]|({WORDS}|VERBOSE)\[\d{{1,10}}\]"  # Minecraft, Asterisk
    rf"|(?i:({WORDS}|information))/(?=[A-Z]\w)"  # Icinga
    rf"|({WORDS}|TRC|DBG|INF|WRN|ERR|FTL|PNC)(?=[ \t|,])|(?i:({WORDS}|verbose))[ \t][\w.-]{{1,60}}\[\d{{1,10}}\])",
    re.ASCII,
)
_HEAD = re.compile(
    r"(trce|dbug|info|warn|fail|crit): [^\s\[]+\[\d+\]"  # .NET's simple console
    r"|=(ERROR|WARNING|INFO) REPORT==== "  # Erlang
    r"|\[\d\d:\d\d:\d\d (VRB|DBG|INF|WRN|ERR|FTL)\]"  # Serilog's console
    r"|[DIWEFA], \[[^\]\n]{10,60}\] +(DEBUG|INFO|WARN|ERROR|FATAL) -- "  # Ruby's Logger
    rf"|\[\d{{4}}-\d\d-\d\d [\d:,]{{8,12}}: ({WORDS})/"  # Celery
    r"|\d{1,10}:[XCSM] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} ([.*#-]) "  # Redis
    rf"|\[Nest\] \d{{1,9}} {{1,4}}- .{{10,40}}? {{1,8}}({WORDS}|LOG|VERBOSE) {{1,4}}\[",  # NestJS
    re.ASCII,
)
_PRIORITY = re.compile(
    r"<(\d{1,3})>(?:1 \d{4}-\d\d-|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d )", re.ASCII
)
"""Priority at the head of a line of syslog (https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1)."""
_LOGFMT = re.compile(r"(?:^|\s)(?:level|lvl|severity)=\"?([A-Za-z]+)")
_JSON_LEVEL = re.compile(r"\"(?:log\.)?(?:level|levelname|severity|lvl)\"\s*:\s*\"([A-Za-z]+)\"")
"""A level in JSON that is no JSON any more: a runtime cut it, or it holds `NaN` or a key twice."""
_TRACE_START = re.compile(
    r"\n(?:(?:(?:[\w$]+\.)*[\w$]*(?:Exception|Error|Throwable)\b|\*\* \()[^\n]*\n)?"
    r"(?=[ \t]+at (?:[\w$]+\.\w|[^\n]*(?:[(:<]|0x))|Caused by: |[ \t]*\.\.\. \d+ (?:more|common)"
    r"|(?:[ \t]*\+ Exception Group )?Traceback \(most recent call last\):"
    r"|\n?goroutine \d+ \[|Stack trace:\n#0 |stack backtrace:\n|[ \t]+from \S+:\d+:in "  # Go, PHP, Rust, Ruby
    r"|#0 +\S[^\n]* \(|[ \t]+\([\w.]+ [\d.]+\) \S+:\d+: "  # Dart, Elixir
    r"|stack traceback:\n|Stacktrace:\n \[1\] )",  # Lua, Julia
    re.ASCII,
)


def text_line(text: str, stamp: re.Match[str] | None) -> Draft:
    """Return the draft of a line of text.

    `stamp` is the time at its head. Headers of logback, Spring Boot or Python `logging` are taken apart, stack traces
    cut off.
    """
    draft = Draft({})
    head, stack_trace = split_stack_trace(text)
    if stack_trace:
        draft.stack_trace = stack_trace
    draft.message = _take_header(head, stamp, draft) if stamp else head
    if draft.level is None:
        draft.level = level_in_text(head)
    return draft


def take_runtime_header(text: str) -> tuple[Draft | None, str]:
    """Take off the header of a container runtime (CRI).

    Time, stream and whether the line is whole; None and the line if it has none.
    """
    found = _RUNTIME.match(text)
    if found is None:
        return None, text
    draft = Draft({"stream": found[2]})
    _take_stamp(draft, found[1])
    draft.time_key = "time"
    return draft, text[found.end() :]


def has_runtime_header(text: str) -> bool:
    """Return whether a line begins with a container runtime's header."""
    return text[10:11] == "T" and _RUNTIME.match(text) is not None


def stamp_of(text: str) -> re.Match[str] | None:
    """Return the time at the head of a line.

    A line without one, and without another line behind it, is a message as it is.
    """
    return _STAMP.match(text) if text[:1] in _STAMP_FIRST else None


def split_stack_trace(text: str) -> tuple[str, str | None]:
    """Split a text into message and stack trace.

    Joined by a newline they are the text again.
    """
    found = _TRACE_START.search(text) if "\n" in text else None
    return (text[: found.start()], text[found.start() + 1 :]) if found else (text, None)


def _take_header(text: str, stamp: re.Match[str], draft: Draft) -> str:
    """Take apart the head of a line.

    Time, level, thread, process and logger; the whole line if it has none.
    """
    if text[0] == "[" and "]" not in stamp[0]:
        return text
    python = _PYTHON.match(text, stamp.end())
    parts = _python_parts(python) if python else _logback_parts(text, stamp.end())
    message = text[parts["end"] :] if parts else ""
    if not (parts and message):
        return text
    _take_stamp(draft, stamp[1])
    draft.level, draft.level_key, draft.level_value = read_level(parts["level"]), "log_level", parts["level"]
    for name in ("thread", "correlation", "pid", "logger"):
        if value := parts.get(name):
            draft.extra[name] = value
    for name, field in _FIELDS:
        if value := parts.get(name):  # or `draft.merge` takes nothing for something
            setattr(draft, field, value)
    return message


_FIELDS = (("trace_id", "trace_id"), ("span_id", "span_id"), ("application", "service"))
_NO_DATE = Refused(Reason.INVALID_TIMESTAMP, "the line has a time of day, but no date")


def _take_stamp(draft: Draft, stamp: str) -> None:
    """Take the time at a line's head.

    One of day alone, or none at all, is kept as `log_time` by `draft.merge`.
    """
    draft.time_key, draft.time_value = "log_time", stamp
    if stamp[2] == ":":
        draft.error = _NO_DATE
        return
    try:
        draft.moment, draft.likely = parse_time(stamp), True
    except Refused as error:
        draft.error = error


def _python_parts(found: re.Match[str]) -> dict[str, Any]:
    return {"logger": found[1], "level": found[2], "end": found.end()}


def _logback_parts(text: str, at: int) -> dict[str, Any] | None:
    thread = _bracketed(_THREAD, text, at)
    level = _LEVEL.match(text, thread.end() if thread else at)
    if level is None and thread:  # "[INFO] text" looks like a thread's name
        thread, level = None, _LEVEL.match(text, at)
    if level is None:
        return None
    parts = {"level": level[1], "thread": thread and thread[1], "end": level.end()}
    correlation = _bracketed(_CORRELATION, text, level.end())  # Spring Cloud Sleuth's [application,trace,span]
    if correlation:
        parts["correlation"], parts["trace_id"], parts["span_id"] = correlation.groups()
        parts["end"] = correlation.end()
    return _logger_parts(text, parts)


def _bracketed(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """Match a pattern that begins with a bracket."""
    return pattern.match(text, at) if text[at : at + 1] == "[" else None


def _logger_parts(text: str, parts: dict[str, Any]) -> dict[str, Any]:
    at = parts["end"]
    process = _PROCESS.match(text, at) if text[at : at + 1].isdecimal() else None
    if process:
        parts["pid"], at = process[1], process.end()
        application = _APPLICATION.match(text, at)
        if application:
            parts["application"], at = application[1], application.end()
    late_thread = None if parts["thread"] else _bracketed(_THREAD, text, at)
    start = late_thread.end() if late_thread else at
    ids = _IDS.match(text, start) if process else None
    if ids:
        parts["trace_id"], parts["span_id"], start = ids[1], ids[2], ids.end()
    logger = _LINE_LOGGER.match(text, start) or _LOGGER.match(text, start)
    sure = process or parts["thread"] or late_thread or (logger and ("." in logger[1] or "#" in logger[1]))
    if logger and sure:
        parts["logger"], parts["end"] = logger[1], logger.end()
        if late_thread:
            parts["thread"] = late_thread[1]
        return parts
    dash = _DASH.match(text, at)
    parts["end"] = dash.end() if dash else at
    return parts


def level_in_text(text: str) -> Level | None:
    """Find a level in a text.

    From the first word, one behind a time, a logfmt `level=`, or syslog's priority; the text keeps it, so it is
    not retained elsewhere.
    """
    if "\x1b[" in text[:200]:
        text = _COLOUR.sub("", text)
    found = _level_at_head(text, 0)
    if not found and text[:1] in _TIME_FIRST and (runtime := _TIME.match(text)):
        found = _level_at_head(text, runtime.end())
    if not found and "=" in text:
        found = _LOGFMT.search(text[:1000])
    if not found and text[:1] == "{":
        found = _JSON_LEVEL.search(text[:1000])
    if not found and text[:1] == "<" and (priority := _PRIORITY.match(text)):
        return read_level(priority[1], "pri")._replace(says_more=False)
    if not found:
        return None
    word = found[found.lastindex or 0]
    return read_level(REDIS_MARKS.get(word, word))._replace(says_more=False)


def _level_at_head(text: str, at: int) -> re.Match[str] | None:
    """Find a level at the head of a line.

    The line begins at `at`; what is before it is the time of a container runtime.
    """
    first = text[at : at + 1]
    found = (_LEADING.match(text, at) if first in _LEADING_FIRST else None) or _HEAD.match(text, at)
    if found is None and first in _TIME_FIRST and (stamp := _TIME.match(text, at) or _TIME_OF_DAY.match(text, at)):
        found = _BEHIND.match(text, stamp.end())
    return found


# A set of letters comes first, for it is found faster than `\b` and a letter of any case; a long s is one of span's.
_ID_BEHIND = r"(?i:[._-]?id[\"']?\s*[:=]\s*[\"']?)([0-9a-fA-F]{8,64})(?i:(?![0-9a-z]))"
_TRACE_ID = re.compile(rf"[tT](?<!\w.)(?i:race){_ID_BEHIND}")
_SPAN_ID = re.compile(rf"[sS\u017f](?<!\w.)(?i:pan){_ID_BEHIND}")


def ids_in_text(message: str) -> tuple[str | None, str | None]:
    """Find trace and span id in a message.

    From `TraceID: x SpanID: y` or `trace_id=x`; the message keeps them.
    """
    trace, span = _TRACE_ID.search(message), _SPAN_ID.search(message)
    return trace and trace[1], span and span[1]
