"""Lines of text as records, taken apart by their form.

A form is a declaration: how a line of it looks, and which parts of it are which fields. What no form knows is a line
that begins with a time, as the `log` that Fluent Bit would make of it.
"""

import json
import re
from collections.abc import Callable
from itertools import zip_longest
from typing import Any, NamedTuple

import orjson

from dualsink.events.draft import keep
from dualsink.events.heads import LEAD, MOMENT, REDIS_MARKS

Fields = dict[str, Any]

_ERROR_LOG_TIME = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{6})? \d{4}"
_TOMCAT_TIME = rb"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d(?:\.\d{1,9})?"

_ACCESS_TIME = rb"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: [+-]\d{4})?"
_AUDIT = rb"(?:node=\S{1,255} )?type=\w{1,60} msg=audit\("

START = re.compile(
    rb"%b[\[(<\"]?(%b)"
    rb"|(?:\S+ ){1,4}\[(%b)\]"  # access logs of Apache, nginx, HAProxy, S3
    rb"|%b(1\d{9}\.\d{3}):\d"
    rb"|(?:https?|h2|grpcs|wss?) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) \S+ \S+:\d+ "  # AWS load balancers
    rb"|2 \d{12} eni-\w+ "  # AWS VPC flow logs
    rb"|(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S|(?:CEF|LEEF):\d)"  # syslog, CEF, LEEF
    % (LEAD.encode(), MOMENT.encode(), _ACCESS_TIME, _AUDIT)
)
"""Beginning of a line that is no continuation of the one before."""


class LineForm(NamedTuple):
    """Form of a line."""

    name: str
    specification: str
    """Address of its documentation."""
    head: re.Pattern[bytes]
    """Beginning of a line, whose groups are fields."""
    example: str
    rest: str = ""
    """Field of what follows the head."""
    whole: str = ""
    """Field of the line as it is, if the fields do not hold all of it."""
    adds: Callable[[Fields, str], None] | None = None
    """Adder of the fields in what follows the head, if that is not one."""


def record(lines: list[bytes], **more: str) -> bytes:
    """Return lines that belong together as a record.

    `more` are its other fields. With none, no form and no time it is the text as it is.
    """
    text = b"\n".join(lines).rstrip()
    fields = fields_of(text)
    if not more and fields is None:
        return text
    return json_bytes((fields or {"log": _decoded(text)}) | more)


def fields_of(text: bytes) -> Fields | None:
    """Return the fields of a line of text.

    None if it has no known form and no time.
    """
    for form in FORMS:
        if found := form.head.match(text):
            fields = {name: _decoded(value) for name, value in found.groupdict().items() if value is not None}
            if form.rest:
                fields[form.rest] = _decoded(text[found.end() :])
            if form.whole:
                fields[form.whole] = _decoded(text)
            if form.adds:
                form.adds(fields, _decoded(text[found.end() :]))
            return fields
    found = START.match(text)
    if found is None or not found.lastindex:
        return None
    rest = text[found.end() :].strip()
    at_once = found.start(found.lastindex) <= len("[")
    is_object = at_once and rest.startswith(b"{") and rest.endswith(b"}")  # `kubectl logs --timestamps`
    return {"log": _decoded(rest if is_object else text), "time": _decoded(found[found.lastindex])}


def is_event(line: bytes) -> bool:
    """Return whether a line begins as one of a log."""
    return bool(START.match(line)) and fields_of(line) is not None


def plain(line: bytes) -> bytes:
    """Return a line without the codes of a terminal.

    Those of colours, and those that erase a line.
    """
    return _TERMINAL.sub(b"", line) if b"\x1b[" in line else line


_TERMINAL = re.compile(rb"\x1b\[[\d;?]*[A-Za-z]")


def json_bytes(fields: Fields) -> bytes:
    """Return fields as JSON.

    Bytes that are no UTF-8 stay as they are.
    """
    try:
        return orjson.dumps(fields)
    except TypeError:
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogateescape")


def cells(values: list[str], columns: list[str] | tuple[str, ...]) -> Fields:
    """Return the cells of a row under its columns' names.

    `-` says that there is nothing; cells beyond the columns are kept as `_extra_cells`.
    """
    fields: Fields = {name: cell for name, cell in zip(columns, values, strict=False) if cell != "-"}
    if len(values) > len(columns):
        keep(fields, "_extra_cells", values[len(columns) :])
    return fields


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


# -- AWS load balancers ----------------------------------------------------------------------------

_ELB = (
    "request_processing_time", "backend_processing_time", "response_processing_time", "elb_status_code",
    "backend_status_code", "received_bytes", "sent_bytes", "request", "user_agent", "ssl_cipher", "ssl_protocol",
)  # fmt: skip
_ALB = (
    "request_processing_time", "target_processing_time", "response_processing_time", "elb_status_code",
    "target_status_code", "received_bytes", "sent_bytes", "request", "user_agent", "ssl_cipher", "ssl_protocol",
    "target_group_arn", "trace_id", "domain_name", "chosen_cert_arn", "matched_rule_priority", "request_creation_time",
    "actions_executed", "redirect_url", "error_reason", "target:port_list", "target_status_code_list",
    "classification", "classification_reason", "conn_trace_id",
)  # fmt: skip
_CELL = re.compile(r'"([^"]*)"|(\S+)')
_REQUEST = ("request_verb", "request_url", "request_proto")


def _columns(columns: tuple[str, ...]) -> Callable[[Fields, str], None]:
    def add(fields: Fields, text: str) -> None:
        found = cells([quoted or plain for quoted, plain in _CELL.findall(text)], columns)
        request = found.get("request", "").split(" ")
        if len(request) == len(_REQUEST) and "-" not in request:
            del found["request"]
            found |= zip(_REQUEST, request, strict=True)
        fields |= found

    return add


# -- CEF -------------------------------------------------------------------------------------------

_KEY = re.compile(r"(?:\A|(?<=\s))([\w.\[\]-]{1,100})=")
_BARRED = re.compile(r"((?:[^|\\]|\\(?:.|\Z))*)(?:\||\Z)", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\=|nr])")
_ESCAPES = {"n": "\n", "r": "\r"}


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), text) if "\\" in text else text


_CEF_HEADER = (
    "cefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name", "severity",
)  # fmt: skip


def _add_cef(fields: Fields, text: str) -> None:
    """Add what follows `CEF:` in a line.

    Seven fields between bars, then pairs of key and value. Of equal keys the first counts; the line has all.
    """
    header = _BARRED.findall(text)[: len(_CEF_HEADER)]
    extension = text[sum(len(part) + 1 for part in header) :]
    fields |= zip(_CEF_HEADER, map(_unescaped, header), strict=False)
    keys = list(_KEY.finditer(extension))
    for key, after in zip_longest(keys, keys[1:]):
        fields.setdefault(key[1], _unescaped(extension[key.end() : after and after.start()].rstrip()))


_LEEF_HEADER = ("leefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventId")
_LEEF_SEPARATOR = re.compile(r"(?:0?x([0-9A-Fa-f]{2,4})|([^|]))\|")


def _add_leef(fields: Fields, text: str) -> None:
    """Add what follows `LEEF:` in a line.

    Five fields between bars, in version 2 the separator too, then pairs. Of equal keys the first counts.
    """
    *header, extension = (*text.split("|", len(_LEEF_HEADER)), "")[: len(_LEEF_HEADER) + 1]
    fields |= zip(_LEEF_HEADER, header, strict=False)
    own = _LEEF_SEPARATOR.match(extension) if header[0].startswith("2") else None
    separator = (own[2] or chr(int(own[1], 16))) if own else "\t"
    for pair in extension[own.end() if own else 0 :].split(separator):
        key, equals, value = pair.strip().partition("=")
        if equals:
            fields.setdefault(key, value)


# -- all forms -------------------------------------------------------------------------------------


def _take_facility(fields: Fields, _: str) -> None:
    """Take the facility out of syslog's priority."""
    fields["priority"] = str(int(fields["priority"]) % 8)


def _name_level(fields: Fields, _: str) -> None:
    """Put Redis's level for its mark."""
    fields["level"] = REDIS_MARKS[fields["level"]]


_SYSLOG_TIME = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"

FORMS = (
    LineForm(
        "Common Event Format (CEF), with or without a head of syslog",
        "https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors-8.3/cef-implementation-standard/",
        re.compile(
            rb"(?:<\d{1,3}>)?(?:1 )?(?:(?:(?P<time>%b)|(?P<syslog_time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d))"
            rb" (?P<host>\S+) (?:[^|]{0,100}? )?)?CEF:(?=\d{1,3}(?:\.\d{1,3})?\|(?:[^|\\]|\\.)*\|)" % _SYSLOG_TIME,
            re.DOTALL,
        ),
        "CEF:0|Acme|Wall|1|100|login|3|rt=1795428000123 src=10.0.0.1",
        whole="line",
        adds=_add_cef,
    ),
    LineForm(
        "Log Event Extended Format (LEEF), with or without a head of syslog",
        "https://www.ibm.com/docs/en/dsm?topic=leef-overview",
        re.compile(
            rb"(?:<\d{1,3}>)?(?:1 )?(?:(?:(?P<time>%b)|(?P<syslog_time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d))"
            rb" (?P<host>\S+) (?:[^|]{0,100}? )?)?LEEF:(?=[\d.]{1,3}\|(?:[^|]*\|){4})" % _SYSLOG_TIME,
            re.DOTALL,
        ),
        "LEEF:2.0|Acme|Wall|1|41|^|devTime=1795428000123^sev=9^msg=worm",
        whole="line",
        adds=_add_leef,
    ),
    LineForm(
        "Application Load Balancer",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html",
        re.compile(
            rb"(?P<type>https?|h2|grpcs|wss?) (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) (?P<elb>\S+)"
            rb" (?P<client_port>\S+:\d+) (?:(?P<target_port>\S+:\d+)|-) (?=-?[\d.]+ -?[\d.]+ -?[\d.]+ (?:\d{3}|-) )"
        ),
        'https 2026-11-23T10:00:00.123456Z app/shop/1 10.0.0.1:1 10.0.0.2:80 0.0 0.1 0.0 502 502 1 7 "GET https://a:443/"',
        adds=_columns(_ALB),
    ),
    LineForm(
        "Classic Load Balancer",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/access-log-collection.html",
        re.compile(
            rb"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) (?P<elb>\S+) (?P<client_port>\S+:\d+)"
            rb" (?:(?P<backend_port>\S+:\d+)|-) (?=-?[\d.]+ -?[\d.]+ -?[\d.]+ (?:\d{3}|-) )"
        ),
        '2026-11-23T10:00:00.123456Z shop 10.0.0.1:1 10.0.0.2:80 0.0 0.1 0.0 502 502 1 7 "GET http://a:80/ HTTP/1.1"',
        adds=_columns(_ELB),
    ),
    LineForm(
        "Apache error log",
        "https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat",
        re.compile(
            rb"\[(?P<time>%b)\]"
            rb" \[(?:(?P<apache_module>[\w-]*):)?(?P<level>[a-z]+\d?)\](?: \[pid (?P<pid>\d+)(?::tid (?P<tid>\d+))?\])?"
            rb"(?: \[client (?P<client>[^\]\n]+)\])? " % _ERROR_LOG_TIME
        ),
        "[Mon Nov 23 10:00:00.123456 2026] [core:error] [pid 7:tid 8] [client 10.0.0.1:5000] File does not exist",
        rest="message",
    ),
    LineForm(
        "Tomcat's catalina",
        "https://tomcat.apache.org/tomcat-10.1-doc/logging.html",
        re.compile(
            rb"(?P<time>%b) (?P<level>[A-Z]+)"
            rb" \[(?P<thread>[^\n]{0,200}?)\] (?P<logger>[^\s\[]\S{0,400}) " % _TOMCAT_TIME
        ),
        "23-Nov-2026 10:00:00.123 INFO [main] org.apache.catalina.startup.Catalina.start Server startup",
        rest="log",
    ),
    LineForm(
        "Apache access log",
        "https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats",
        re.compile(rb'(?P<client>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?:[^"\\]|\\.)*" (?P<status>\d{3})', re.DOTALL),
        '10.0.0.1 - - [23/Nov/2026:10:00:00 +0000] "GET /pay HTTP/1.1" 502 157 "-" "curl"',
        whole="log",
    ),
    LineForm(
        "java.util.logging",
        "https://docs.oracle.com/en/java/javase/21/docs/api/java.logging/java/util/logging/SimpleFormatter.html",
        re.compile(
            rb"(?P<time>[A-Z][a-z]{2} \d?\d, \d{4},? \d?\d:\d\d:\d\d(?: |\xe2\x80\xaf)[AP]M)"
            rb" (?P<logger>\S{1,400}) (?P<method>\S{1,400})\r?\n(?P<level>[A-Z]+): "
        ),
        "Nov 23, 2026 10:00:00 AM shop.Pay charge\nSEVERE: refused",
        rest="log",
    ),
    LineForm(
        "Redis",
        "https://redis.io/docs/latest/operate/oss_and_stack/management/config-file/",
        re.compile(
            rb"(?P<pid>\d{1,10}):(?P<role>[XCSM]) (?P<time>\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3})"
            rb" (?P<level>[.*#-]) "
        ),
        "1:M 23 Nov 2026 10:00:00.123 # refused",
        rest="message",
        adds=_name_level,
    ),
    LineForm(
        "Linux audit",
        "https://github.com/linux-audit/audit-documentation/wiki/SPEC-Audit-Event-Enrichment",
        re.compile(
            rb"(?:node=(?P<host>\S{1,255}) )?type=(?P<type>\w{1,60})"
            rb" msg=audit\((?P<time>1\d{9}\.\d{3}):(?P<serial>\d+)\): ?"
        ),
        'type=EXECVE msg=audit(1795428000.123:7): argc=1 a0="sh"',
        rest="message",
    ),
    LineForm(
        "Heroku",
        "https://devcenter.heroku.com/articles/logging#log-format",
        re.compile(rb"(?P<time>%b) (?P<source>app|heroku)\[(?P<dyno>[\w.-]+)\]: " % _SYSLOG_TIME),
        "2026-11-23T10:00:00.123456+00:00 app[web.1]: refused",
        rest="log",
    ),
    LineForm(
        "Amazon S3 server access log",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html",
        re.compile(
            rb"(?P<owner>\S+) (?P<bucket>\S+) \[(?P<time>[^\]]{20,26})\] (?P<client>\S+) (?P<requester>\S+)"
            rb" (?P<request_id>\S+) (?P<operation>[A-Z]+\.\S+) (?P<key>\S+)"
            rb' (?:-|"(?:[^"\\]|\\.)*") (?:-|(?P<status>\d{3})) ',
            re.DOTALL,
        ),
        'a1 shop [23/Nov/2026:10:00:00 +0000] 10.0.0.1 a1 3E REST.GET.OBJECT a.txt "GET /a.txt HTTP/1.1" 404 -',
        whole="log",
    ),
    LineForm(
        "AWS VPC flow log, version 2",
        "https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html",
        re.compile(
            rb"(?P<version>2) (?P<account_id>\d{12}) (?P<interface_id>eni-\w+) (?P<srcaddr>\S+) (?P<dstaddr>\S+)"
            rb" (?P<srcport>\S+) (?P<dstport>\S+) (?P<protocol>\S+) (?P<packets>\S+) (?P<bytes>\S+)"
            rb" (?P<start>\d{10}) (?P<end>\d{10}) (?:-|(?P<action>\S+)) (?P<log_status>[A-Z]+)\Z"
        ),
        "2 123456789010 eni-1 10.0.0.1 10.0.0.2 1 22 6 20 42 1795428000 1795428060 REJECT OK",
    ),
    LineForm(
        "syslog file, with whole times",
        "https://www.rsyslog.com/doc/configuration/templates.html",
        re.compile(
            rb"(?P<time>%b) (?P<host>[\w.-]+) (?P<programname>[\w./-]+)(?:\[\d+\]|(?<= kernel)|(?<= sudo)): "
            % _SYSLOG_TIME
        ),
        "2026-11-23T10:00:00.123456+00:00 web-1 sshd[7]: Failed password",
        rest="log",
        whole="line",
    ),
    LineForm(
        "syslog",
        "https://www.rfc-editor.org/rfc/rfc5424",
        re.compile(
            rb"<(?P<priority>\d{1,3})>1 (?P<time>\S+) (?P<host>\S+) (?P<programname>\S+) \S+ \S+"
            rb" (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) ?",
            re.DOTALL,
        ),
        "<11>1 2026-11-23T10:00:00Z web-1 pay 7 - - refused",
        rest="log",
        whole="line",
        adds=_take_facility,
    ),
)
"""Forms in the order in which they are tried."""
