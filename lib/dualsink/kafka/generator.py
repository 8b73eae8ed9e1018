"""Synthetic application logs of a small web shop.

The same records for the same seed, with known malformed ones.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from dualsink.events.model import Reason
from dualsink.kafka.records import Record, Records

SPREAD = timedelta(hours=2)
"""Events lie in this span before the end."""

# Texts of records; `{n}` and `{m}` are numbers.
_JAVA_TRACE = (
    "java.net.SocketTimeoutException: Read timed out after {n} ms\n"
    "\tat java.base/java.net.SocketInputStream.read(SocketInputStream.java:{m})\n"
    "\tat com.example.shop.Client.call(Client.java:118)\n"
    "\tat com.example.shop.Handler.handle(Handler.java:54)\n"
    "Caused by: java.io.IOException: connection reset by peer\n"
    "\t... 12 more"
)
_PYTHON_TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/app/service.py", line {m}, in handle\n'
    "    result = client.call(request, timeout={n})\n"
    '  File "/app/client.py", line 41, in call\n'
    "    raise UpstreamError(response.status)\n"
    "client.UpstreamError: 503"
)
_SERVICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "api-gateway": (_JAVA_TRACE, ("GET /api/products/{n} 200 in {m} ms", "POST /api/orders 201 in {m} ms")),
    "user-service": (_JAVA_TRACE, ("User {n} logged in from client {m}", "Session of user {n} refreshed")),
    "product-catalog": (_PYTHON_TRACE, ("Loaded {m} products for category {n}", "Price list {n} reloaded")),
    "cart-service": (_PYTHON_TRACE, ("Item {n} added to cart {m}", "Cart {n} holds {m} items")),
    "order-service": (_JAVA_TRACE, ("Order {n} accepted with {m} items", "Order {n} confirmed in {m} ms")),
    "payment-service": (_JAVA_TRACE, ("Payment of order {n} authorised in {m} ms", "Refund {n} of {m}.00 EUR booked")),
    "inventory-service": (_PYTHON_TRACE, ("Reserved {m} units of item {n}", "Stock of item {n} is {m}")),
    "notification-service": (_PYTHON_TRACE, ("Mail {n} sent in {m} ms", "Push message {n} queued behind {m}")),
}
_OTHERS = {
    "DEBUG": ("Cache lookup for key item:{n} took {m} us", "Connection {m} of pool reused for request {n}"),
    "WARN": ("Slow query: {n} ms for {m} rows", "Retry {m} of request {n} after timeout"),
    "ERROR": ("Request {n} failed after {m} ms: upstream unavailable", 'Cannot write "order {n}": quota at {m} %'),
    "FATAL": ("Out of memory: {n} MB requested, {m} MB free",),
}
_WEIGHTS = {"DEBUG": 15, "INFO": 65, "WARN": 12, "ERROR": 7, "FATAL": 1}
_HOSTS_PER_SERVICE = 3
_OPEN_TRACES = 32


def generate(count: int, seed: int, malformed_share: float, end: datetime) -> Records:
    """Generate records in the seed's flat shape.

    `count` of them, spread over the two hours before `end`, nearly in order of time. The same (count, seed, end) gives
    the same records; a `malformed_share` of 0 to 1 replaces some of them evenly by malformed ones of every kind in
    turn. `end` without a zone is UTC. Keys are services, so a service stays in one partition. Raises ValueError for an
    impossible count or share.
    """
    if count < 0 or not 0 <= malformed_share <= 1:
        raise ValueError(f"count {count} must not be negative and malformed_share {malformed_share} be within 0 and 1")
    return _records(count, seed, malformed_share, end if end.tzinfo else end.replace(tzinfo=UTC))


def _records(count: int, seed: int, malformed_share: float, end: datetime) -> Records:
    random = Random(seed)
    number = random.random
    templates, services = _templates(), _traced_services(random)
    variants = len(templates)
    moment = _clock(count, end)
    malformed = 0
    for i in range(count):
        service, trace, span = next(services)
        key, template = templates[int(number() * variants)][service]
        n, m = int(number() * 99_000) + 1_000, int(number() * 899) + 100
        time, host = moment(i, number()), n % _HOSTS_PER_SERVICE + 1
        value = (template % {"i": i + 1, "t": time, "h": host, "n": n, "m": m, "x": trace, "y": span}).encode()
        if int((i + 1) * malformed_share) == malformed:
            yield Record(key, value, None)
        else:
            spoil, reason = MALFORMED[malformed % len(MALFORMED)]
            yield Record(key, spoil(value, end), reason.value)
            malformed += 1


def _templates() -> list[list[tuple[bytes, str]]]:
    """Return weighted variants of records.

    Each holds for every service its key and the %-template of its JSON.
    """
    levels = [level for level, weight in _WEIGHTS.items() for _ in range(weight)]
    return [[_template(service, level, i) for service in _SERVICES] for i, level in enumerate(levels * 2)]


def _template(service: str, level: str, variant: int) -> tuple[bytes, str]:
    stack_trace, info = _SERVICES[service]
    messages = info if level == "INFO" else _OTHERS[level]
    traced = variant % 2 == 0  # the others are a service's own work, outside of any request
    fields = {
        "log_id": "log_{i}", "timestamp": "{t}", "level": level, "service": service,
        "host": service.split("-")[0] + "-{h}", "message": messages[variant // 2 % len(messages)],
        "stack_trace": stack_trace if level in ("ERROR", "FATAL") else None,
        "trace_id": "{x}" if traced else None, "span_id": "{y}" if traced else None,
    }  # fmt: skip
    text = json.dumps({k: v for k, v in fields.items() if v is not None}, separators=(",", ":")).replace("%", "%%")
    for name, form in {"i": "06d", "t": "s", "h": "02d", "n": "d", "m": "d", "x": "s", "y": "s"}.items():
        text = text.replace("{" + name + "}", f"%({name}){form}")
    return service.encode(), text


def _traced_services(random: Random) -> Iterator[tuple[int, str, str]]:
    """Yield service, trace id and span id of each record.

    The service is an index into _SERVICES. A trace visits a handful of services in turn.
    """
    open_traces = [_path(random) for _ in range(_OPEN_TRACES)]
    number = random.random
    while True:
        slot = int(number() * _OPEN_TRACES)
        step = next(open_traces[slot], None)
        if step is None:
            open_traces[slot] = _path(random)
        else:
            yield step


def _path(random: Random) -> Iterator[tuple[int, str, str]]:
    """Yield the records of one trace.

    Two to six services, one to three records each, every service with its own span.
    """
    trace = f"{random.getrandbits(128):032x}"
    for service in random.sample(range(len(_SERVICES)), random.randint(2, 6)):
        span = f"{random.getrandbits(64):016x}"
        for _ in range(random.randint(1, 3)):
            yield service, trace, span


def _clock(count: int, end: datetime) -> Callable[[int, float], str]:
    """Return the function from a record's number to its time.

    Even steps, each moved by up to three steps and half a second, always before the end.
    """
    start = end.astimezone(UTC).replace(tzinfo=None) - SPREAD
    step = SPREAD / timedelta(microseconds=1) / max(count, 1)
    jitter = min(3 * step, 500_000)
    last = SPREAD // timedelta(microseconds=1) - 1

    def moment(i: int, share: float) -> str:
        micros = min(int(i * step + share * jitter), last)
        return (start + timedelta(0, 0, micros)).isoformat("T", "microseconds") + "Z"

    return moment


# -- malformed records -----------------------------------------------------------------------------


def _with(value: bytes, **changes: object) -> bytes:
    """Change fields of a record; None takes one out."""
    fields = json.loads(value) | changes
    return json.dumps({k: v for k, v in fields.items() if v is not None}).encode()


MALFORMED: tuple[tuple[Callable[[bytes, datetime], bytes], Reason], ...] = (
    (lambda value, end: value[: len(value) * 2 // 3], Reason.INVALID_JSON),
    (lambda value, end: _with(value, timestamp="yesterday at noon"), Reason.INVALID_TIMESTAMP),
    (lambda value, end: _with(value, message=None), Reason.MISSING_MESSAGE),
    (lambda value, end: b"", Reason.EMPTY_VALUE),
    (lambda value, end: _with(value, message={"text": "nested"}), Reason.WRONG_TYPE),
    (lambda value, end: value[:-1] + b',"level":"INFO"}', Reason.DUPLICATE_KEY),
    (lambda value, end: value[:-2] + b'\xff\xfe"}', Reason.INVALID_UTF8),
    (lambda value, end: json.dumps(value.decode()).encode(), Reason.NOT_AN_OBJECT),  # encoded twice
    (lambda value, end: _with(value, timestamp=None), Reason.MISSING_TIMESTAMP),
    (lambda value, end: value + b" trailing", Reason.INVALID_JSON),
    (lambda value, end: _with(value, timestamp=_year_later(end)), Reason.TIMESTAMP_IN_FUTURE),
    (lambda value, end: value[:-2] + b'\\ud83d"}', Reason.INVALID_UNICODE),
    (lambda value, end: _with(value, timestamp="1969-07-20T20:17:40Z"), Reason.TIMESTAMP_OUT_OF_RANGE),
    (lambda value, end: _with(value, service="s" * 2_000), Reason.FIELD_TOO_LONG),
)
"""How a record is spoilt, and the refusal that it must get; used in turn."""


def _year_later(end: datetime) -> str:
    return (end.astimezone(UTC) + timedelta(days=366)).isoformat()
