"""Readers of values that have a form of their own.

They return what a value says for its field.

Ids and their headers, names of pods, stack traces written from objects, texts as bytes or parts.
"""

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from dualsink.events.formats import Place, fold
from dualsink.events.strict_json import dump_json
from dualsink.events.text import split_stack_trace

_TRACE_TEXT = re.compile(r"\n|^\s+at |\(\S+:\d+\)|^goroutine \d")
_TRACE_LINE = re.compile(r'^(?:\s*at |\s*File "|goroutine \d|#\d+ )|\.[A-Za-z]\w*:\d+', re.MULTILINE)
"""A line of a stack trace, where lines of their own say nothing: in an array of texts."""
_FRAME_LINE = re.compile(
    rf"{_TRACE_LINE.pattern}|^(?:\s+from \S|Caused by: |Traceback \(| *\d+: .*::)| at \S+ line \d", re.MULTILINE
)
"""A line of a stack trace in a text that may as well be some other text of several lines."""
_JSON = re.compile(r"\s*\{\s*\"")
_ERROR_NAME = re.compile(r"(?:Exception|Error|Throwable)\b")
_HEX_ID = re.compile(r"(?:0x)?([0-9a-fA-F]{1,64})")
_GOOGLE_TRACE = re.compile(r"projects/[^/]+/traces/([0-9a-fA-F]{1,64})")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_JAEGER = re.compile(r"([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:\d+")
_B3 = re.compile(r"([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-.*)?")
_FORM = re.compile(r"(?:projects/[^/]+/traces/|Root=)([0-9a-f-]{16,40})(?:;.*)?")
_GOOGLE_HEADER = re.compile(r"([0-9a-f]{32})(?:/\d{1,20})?(?:;.*)?")
_BASE64_ID = re.compile(r"[A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{11}=")
"""Sixteen or eight bytes, as protobuf's own JSON writes them."""
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Characters of bytes that are no text; a colour code's ESC is none of them."""
_PLACEHOLDERS = frozenset(("-", "null", "none", "undefined", "n/a", "nil", "nan"))
_LONGEST_PLACEHOLDER = max(map(len, _PLACEHOLDERS))
_ROUTE = re.compile(r"([A-Z]{3,10}) /")
_HASH = "[bcdfghjklmnpqrstvwxz2456789]"  # Kubernetes' alphabet of generated names (util/rand SafeEncodeString)
_POD = re.compile(
    rf"(.+?)(?:-{_HASH}{{6,10}}-{_HASH}{{5}}|-\d{{8,10}}-{_HASH}{{5}}|-{_HASH}{{5}}|-\d{{1,4}})", re.ASCII | re.DOTALL
)


@lru_cache(maxsize=4096)
def service_name(pod: str) -> str:
    """Return a pod's name without its suffixes.

    Those of its replica set, daemon set, job or stateful set.
    """
    found = _POD.fullmatch(pod) if len(pod) <= 253 else None  # a DNS subdomain name has no more
    return found[1] if found else pod


def _pod(value: Any) -> str | None:
    return service_name(value) if isinstance(value, str) else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def within(value: Any) -> str | None:
    """Return a text of an object that is a record.

    See `fields.take_message`.
    """
    return _string(value)


def span_id(value: Any) -> str | None:
    """Return an id as text.

    Without `0x` before 16 or 32 digits, None if all digits are zero or it is no scalar.
    """
    if type(value) is str:
        if len(value) > _LONGEST_PLACEHOLDER and value[0] != "0" and value.isalnum():
            return value  # as nearly all are
        text = value
    elif isinstance(value, dict | list) or value is True or value is False:
        return None
    else:
        text = dump_json(value).decode()
    if text[-1] == "=" and _BASE64_ID.fullmatch(text):
        text = binascii.hexlify(base64.b64decode(text)).decode()
        return text if text.strip("0") else None
    if text[0] != "0":
        if found := _FORM.fullmatch(text):
            return found[1]
        return None if text.lower() in _PLACEHOLDERS else text
    if found := _TRACEPARENT.fullmatch(text):
        return found[1]
    digits = text[2:] if text[:2] in ("0x", "0X") and len(text) in (18, 34) else text
    return (digits if _HEX_ID.fullmatch(text) else text) if digits.strip("0") else None


def _hex_trace(value: Any) -> str | None:
    """Return a trace id of a name that says little.

    It is hexadecimal, or Google's resource name: the name alone does not say that it is one.
    """
    if not isinstance(value, str):
        return None
    if found := _GOOGLE_TRACE.fullmatch(value):
        return found[1]
    return span_id(value) if len(value) in (16, 32, 34) and _HEX_ID.fullmatch(value) else None


def _part_of(pattern: re.Pattern[str], group: int) -> Callable[[Any], str | None]:
    def read(value: Any) -> str | None:
        found = pattern.fullmatch(value) if isinstance(value, str) else None
        return span_id(found[group]) if found else None

    return read


def _stack(value: Any) -> str | None:
    """Return a stack trace as text.

    As it is, the lines of an array, or written from frames.
    """
    if isinstance(value, str):
        return value
    if _is_texts(value):
        return "\n".join(line.rstrip("\n") for line in value) or None
    return _written(value)


def _lines_of(value: Any) -> str | None:
    """Return a stack trace of lines.

    One of frames is read with the object around them, which names its exception.
    """
    return _stack(value) if isinstance(value, str) or _is_texts(value) else None


def _title(value: Any) -> str | None:
    """Return what an exception says of itself.

    That is the first line of its stack trace.
    """
    return (_stack(value) or "").split("\n", 1)[0] or None


def _trace_like(value: Any) -> str | None:
    text = _stack(value)
    form = _TRACE_LINE if _is_texts(value) else _TRACE_TEXT
    return text if text and form.search(text.rstrip()) else None


def _frames_in(value: Any) -> str | None:
    """Return a stack trace under a name of errors.

    Some of those are texts of several lines.
    """
    if isinstance(value, str) and _JSON.match(value):
        return None
    if isinstance(value, str) and "\n" in value.strip():
        return value if _FRAME_LINE.search(value) else None
    return _trace_like(value)


def _error_like(value: Any) -> str | None:
    if (text := _trace_like(value)) is not None:
        return text
    text = ": ".join(value) if _is_texts(value) else _stack(value)  # Rails has a pair, of class and message
    return text if text and _ERROR_NAME.search(text) else None


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _traceback(value: Any) -> str | None:
    """Return the traceback at the end of a text.

    The text is message and traceback in one.
    """
    return split_stack_trace(value.rstrip("\n"))[1] if isinstance(value, str) else None


_FRAMES = (
    "stepArray", "stackTrace", "frames", "extendedStackTrace", "backtrace", "parsedStack",
    "stack", "elements", "trace", "stackFrames",
)  # fmt: skip
"""Names of an exception's members; they are compared folded, so .NET's, PHP's and Go's are found as well."""
_CLASS = (
    "className", "class", "name", "type", "exc_type", "exceptionClass", "exceptionType", "typeName", "exception",
)  # fmt: skip
_OF_FRAME = ("methodName", "method", "function", "func", "fileName", "file")
"""What tells a frame from other objects that have a name."""
_TEXT = ("message", "msg", "exc_value", "value", "exceptionMessage")


def _written(value: Any) -> str | None:
    """Write a stack trace from class, message and frames.

    Or return the text that the exception has of one.
    """
    if isinstance(value, list):
        items = [item for item in value if isinstance(item, dict)]
        if any(_member(item, _OF_FRAME) for item in items):
            return _frame_lines(items) or None
        return "\n".join(part for item in items if (part := _written(item))) or None
    if not isinstance(value, dict):
        return None
    frames, cause = _frames(value), _member(value, _CAUSES)
    if frames is None:
        own = _stack_text(value)
        if own is None or not isinstance(cause, dict) or "Caused by" in own:
            return own
    else:
        own = "\n".join(part for part in (_class_and_text(value), _frame_lines(frames)) if part)
    cause = cause.get("exception", cause) if isinstance(cause, dict) else None
    below = (_written(cause) or _class_and_text(cause)) if isinstance(cause, dict) else ""
    return f"{own}\nCaused by: {below}" if below else own


_CAUSES = ("cause", "causedBy", "innerException", "previous")
EXCEPTION_PARTS = frozenset(map(fold, (*_CAUSES, "stackTraceString")))
"""Folded names that say that an exception is read as a whole: its causes, and .NET's frames without its name."""


def _class_and_text(value: dict[str, Any]) -> str:
    parts = (_member(value, _CLASS), _member(value, _TEXT))
    return ": ".join(str(part) for part in parts if part and not isinstance(part, dict | list))


def _exceptions(value: Any) -> str | None:
    """Join the exceptions of an array.

    Each has its stack trace or, for want of one, what it says.
    """
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return "\n".join(text for item in items if (text := _stack_text(item) or _class_and_text(item))) or None


def _stack_text(value: dict[str, Any]) -> str | None:
    """Return the text of an exception's stack trace.

    It is below its class and message if it is frames alone, as .NET's is.
    """
    found = _member(value, ("stackTraceString", *_FRAMES))
    text = _stack(found) if isinstance(found, str) or _is_texts(found) else None
    title = _class_and_text(value) if text and text.lstrip().startswith("at ") else ""
    return f"{title}\n{text}" if title else text


def _frames(value: dict[str, Any]) -> list[Any] | None:
    found = _member(value, _FRAMES)
    if isinstance(found, dict):
        return _frames(found)
    return found if isinstance(found, list) and found and all(isinstance(f, dict) for f in found) else None


def _frame_lines(frames: list[dict[str, Any]]) -> str:
    return "\n".join(f"\tat {line}" for line in map(_frame_line, frames) if line)


def _frame_line(frame: dict[str, Any]) -> str:
    name = ".".join(
        str(part)
        for part in (
            _member(frame, ("className", "class", "declaringClass")),
            _member(frame, ("methodName", "method", "name", "function", "func")),
        )
        if part
    )
    file = _member(frame, ("fileName", "file", "source"))
    line = _member(frame, ("lineNumber", "line", "lineno", "fileLine"))
    place = ":".join(str(part) for part in (file, line) if part is not None)
    return f"{name}({place})" if place else name


def _member(value: dict[str, Any], names: tuple[str, ...]) -> Any:
    """Return the first of these members that says something.

    Names are folded.
    """
    members = {fold(name): item for name, item in reversed(value.items()) if item not in (None, "")}
    return next((members[name] for name in map(fold, names) if name in members), None)


def _bytes(value: Any) -> str | None:
    """Return journald's text.

    A string, or an array of bytes where it holds a control character.
    """
    if isinstance(value, list) and value and all(type(n) is int and 0 <= n <= 255 for n in value):
        return bytes(value).decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else None


def _decoded(value: Any) -> str | None:
    """Return the text that a text in base64 encodes.

    The text itself if it encodes none, of UTF-8 without control characters.
    """
    if not isinstance(value, str) or not _BASE64.fullmatch(value):
        return value if isinstance(value, str) else None
    try:
        text = base64.b64decode(value).decode()
    except ValueError:
        return value
    return value if _CONTROL.search(text) else text


def _host_name(value: Any) -> str | None:
    """Return Logstash's name of a host.

    Not Go's place in a source file.
    """
    return value if isinstance(value, str) and "/" not in value and ".go:" not in value else None


def _parts(value: Any) -> str | None:
    """Return a message that was logged in parts.

    They are an array: texts as they are, all else as JSON.
    """
    return joined(value) or None if isinstance(value, list) else None


def joined(parts: list[Any]) -> str:
    """Join the parts of a message."""
    return " ".join(map(_part, parts))


def _part(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("message"), str) and _stack_text(value):
        value = value["message"]  # an exception, whose stack trace has a field of its own
    return value if isinstance(value, str) else dump_json(value).decode()


def _name(value: Any) -> str | None:
    """Return a program's name.

    Syslog's `-` is none, nor is MongoDB's one letter of a service.
    """
    return value if isinstance(value, str) and len(value) > 1 else None


def _container(value: Any) -> str | None:
    """Return a container's name without its slash.

    Docker's API writes one before it.
    """
    return value.removeprefix("/") if isinstance(value, str) else None


def _listed(name: str) -> Callable[[Any], str | None]:
    """Return the id of a name in a list.

    The name is folded, the list holds objects, as .NET's scopes are.
    """

    def read(value: Any) -> str | None:
        scopes = value if isinstance(value, list) else ()
        found = (item for scope in scopes if isinstance(scope, dict) for item in scope.items())
        return next((text for key, item in found if fold(key) == name and (text := span_id(item))), None)

    return read


def _route_method(value: Any) -> str | None:
    """Return the method before a route's path.

    As in `GET /pay/{id}`.
    """
    found = _ROUTE.match(value) if isinstance(value, str) else None
    return found[1] if found else None


def _group(value: Any) -> str | None:
    """Return the name in a CloudWatch log group.

    It is that of a function or a task, as in `/aws/lambda/pay`.
    """
    return (value.rsplit("/", 1)[-1] or None) if isinstance(value, str) else None


READERS: dict[str, Callable[[Any], str | None]] = {
    "pod": _pod, "name": _name, "container": _container, "group": _group, "listed trace": _listed("traceid"),
    "listed span": _listed("spanid"), "string": _string, "within": within, "id": span_id, "hex": _hex_trace,
    "stack": _stack, "lines": _lines_of, "exceptions": _exceptions, "title": _title,
    "trace": _trace_like, "frames": _frames_in, "error": _error_like, "traceback": _traceback, "bytes": _bytes,
    "base64": _decoded,
    "route method": _route_method, "host name": _host_name, "parts": _parts,
    "google trace": _part_of(_GOOGLE_HEADER, 1), "traceparent trace": _part_of(_TRACEPARENT, 1),
    "traceparent span": _part_of(_TRACEPARENT, 2), "jaeger trace": _part_of(_JAEGER, 1),
    "jaeger span": _part_of(_JAEGER, 2), "b3 trace": _part_of(_B3, 1), "b3 span": _part_of(_B3, 2),
}  # fmt: skip
_DEFAULT_READERS = {"time": "", "level": "any", "trace_id": span_id, "span_id": span_id, "stack_trace": _stack}


def reader_of(name: str, place: Place) -> Any:
    """Return how a place is read.

    The unit of a time, the scale of a level, else a function or None.
    """
    if name in ("time", "level"):
        return place.reads or _DEFAULT_READERS[name]
    return READERS[place.reads] if place.reads else _DEFAULT_READERS.get(name)
