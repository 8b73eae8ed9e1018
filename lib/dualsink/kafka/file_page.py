"""Page of the files that `produce` and `parse` read."""

from typing import NamedTuple

from dualsink.kafka import unreadable
from dualsink.kafka.text_lines import FORMS


class _Kind(NamedTuple):
    """Kind of file."""

    name: str
    told_by: str
    record: str
    specification: str = ""


_KINDS = (
    _Kind("NDJSON", "lines that begin with `{`", "each line as it is", "https://github.com/ndjson/ndjson-spec"),
    _Kind("CSV", "a header of `,` `;` `|` or tabs, one of whose names is known for a time, level or message",
          "each row an object under the header's names; rows whose quotes do not fit go as they are",
          "https://www.rfc-editor.org/rfc/rfc4180"),
    _Kind("PostgreSQL csvlog", "its first columns", "each row an object under the names of jsonlog",
          "https://www.postgresql.org/docs/current/runtime-config-logging.html"),
    _Kind("export of the log explorer", "its columns", "each event as it was shown"),
    _Kind("kafka-console-consumer", "`CreateTime:`, `Partition:`, `Offset:`", "each value",
          "https://kafka.apache.org/documentation/#basic_ops_consumer"),
    _Kind("CRI", "`TIME stdout F`", "each line as `log`, parts joined",
          "https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md"),
    _Kind("`docker compose logs`, `docker service logs`", "`web-1  | `",
          "each line as `log`, with service and container",
          "https://docs.docker.com/reference/cli/docker/compose/logs/"),
    _Kind("`kubectl logs --prefix`", "`[pod/NAME/CONTAINER]`", "each line as `log`, with pod and container",
          "https://kubernetes.io/docs/reference/kubectl/generated/kubectl_logs/"),
    _Kind("logfmt", "`key=value` pairs, one of them a time or a level", "each line an object", "https://brandur.org/logfmt"),
    _Kind("W3C extended (IIS, CloudFront), Zeek", "`#Fields:`, `#fields`", "each row an object under its fields",
          "https://www.w3.org/TR/WD-logfile.html"),
    _Kind("text", "a line that begins with a date and time, or has one of the [forms of lines](#forms-of-lines)",
          "that line with those after it that do not begin so, such as a stack trace"),
)  # fmt: skip

_HEAD = """## Files

What `produce` (with `input_path`) and `parse` read from a file, plain or gzip, in UTF-8; the kind is told from the first lines, not from the name.
A banner before the first record hides nothing: it is sent too, and refused into the quarantine.
"""  # noqa: E501

_TEXT = """### Lines of text

A line begins with its time, which has a year: `2026-11-23 10:00:00,123`, `2026/11/23`, `2026.11.23`, `20261123T100000Z`, `23-Nov-2026 10:00:00`, `Mon Nov 23 10:00:00 2026`, `Nov 23, 2026 10:00:00 AM`, `[23/Nov/2026:10:00:00 +0000]` of access logs, or seconds since 1970 with a fraction.
Before it may be a level, a process, a priority of syslog or codes of colours, which are taken off.
Behind it may be AM or PM, `Z`, an offset, `UTC`, `GMT` or a zone such as `Europe/Berlin`; none means UTC, and letters that several zones have (`CET`, `IST`) are refused.
The level is the word in front or behind the time; heads of logback, Spring Boot and Python are taken apart, and stack traces are cut off the message.
A line of JSON with a time and a level among lines of text is a record of its own.

### Forms of lines

| form | fields of its head | example |
|---|---|---|
"""  # noqa: E501

_REFUSED = """### Files that are refused

A file that cannot be read ends with one line that says what it is and what to do.

| it is | what to do |
|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
    rows = ["| kind | told by | a record is |", "|---|---|---|"]
    rows += [_row(_linked(kind.name, kind.specification), kind.told_by, kind.record) for kind in _KINDS]
    forms = [
        _row(_linked(form.name, form.specification), ", ".join(form.head.groupindex), f"`{form.example}`")
        for form in FORMS
    ]
    refused = [_row(kind, remedy) for kind, remedy in unreadable.reasons()]
    return "\n".join([_HEAD, *rows, "", _TEXT + "\n".join(forms), "", _REFUSED + "\n".join(refused)]) + "\n"


def _row(*cells: str) -> str:
    texts = [cell.replace("|", r"\|").replace("\n", "` `") for cell in cells]
    return f"| {' | '.join(texts)} |"


def _linked(name: str, address: str) -> str:
    return f"[{name}]({address})" if address else name
