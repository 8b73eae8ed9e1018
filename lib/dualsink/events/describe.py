"""Descriptions of the parser: all formats, and single records."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from dualsink.events.catalogue import FORMATS, GENERAL
from dualsink.events.formats import PLACES, Format, Place
from dualsink.events.model import EPOCH, Event, Refusal, Refused
from dualsink.events.parser import Parser

_HEAD = """# Formats

Every shape of log record that is recognised, and where each field comes from.
This page is written from the declarations in `lib/dualsink/events/catalogue/` and `lib/dualsink/kafka` by `dualsink formats`; a test compares them.

Places are tried in order; the first usable one wins, all others stay in `attributes`.
After a format's own places come those of [any names](#any-names).
A name stands for all its spellings: case, blanks, `_`, `-` and `@` make no difference, and `log.level` is found as `"log.level"` and as `{"log": {"level": …}}`.
A record whose `timestamp`, `level`, `service` and `message` are all there at the top, the last three as texts, has been read already: none of the formats below claims it.
Of several times the first within ten years of the record's arrival wins.
A level that is a number of no known scale gives way to one that is a name.
`title` is the message of an event that has none, and no request.
`line` is what an application wrote and nobody has read, JSON or text; `raw` likewise if the record has no level, `json` if it is JSON; `inner` is an object that is a record.

Files that `produce` reads, their kinds and forms of lines, are [at the end](#files).

A format of your own is declared in a YAML file, see `lib/dualsink/events/user_formats.py`.
The parameter `formats` names the file: `-p formats FILE`, or a line in a params file.
Stream, re-drive, replay, ledger, `produce` and `parse` all read by it; formats of your own come before those below.
The ledger asks what Kafka's records are today: a format that types archived records otherwise is a difference, so declare it before its records arrive.
Whether a record is JSON or OTLP's protobuf is told from its bytes; `record_format: json` or `otlp_proto` says it for a whole topic.
`python -m dualsink parse FILE` shows what each line of a file becomes, and why one is refused.
"""  # noqa: E501


def formats_page() -> str:
    """Return the page of all formats as Markdown."""
    rows = ["| format | recognised by | fields |", "|---|---|---|"]
    rows += [f"| [{f.name}](#{_anchor(f.name)}) | {_marks(f)} | {_fed(f)} |" for f in FORMATS]
    sections = [_section(format) for format in (*FORMATS, GENERAL)]
    return "\n".join([_HEAD, *rows, "", *sections])


def _anchor(name: str) -> str:
    kept = "".join(c for c in name.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _marks(format: Format) -> str:
    return ", ".join(f"`{mark}`".replace("|", "` or `") for mark in format.marks) or "always"


def _fed(format: Format) -> str:
    return ", ".join(name for name in PLACES if getattr(format, name))


def _section(format: Format) -> str:
    lines = [f"## {format.name}", ""]
    if format.specification.startswith("http"):
        lines += [f"<{format.specification}>", ""]
    for name in PLACES:
        if places := getattr(format, name):
            lines.append(f"- {name}: {', '.join(map(_place, places))}")
    if format.default_level:
        lines.append(f"- without a level: {format.default_level}")
    if format.events:
        lines.append(f"- one event for each item of `{format.events}`")
    if format.example:
        lines += ["", "```json", format.example, "```"]
    return "\n".join(lines) + "\n"


def _place(place: Place) -> str:
    return f"`{place.path}`" + (f" ({place.reads})" if place.reads else "")


class Explanation(NamedTuple):
    """Explanation of one event of a record, or its refusal."""

    position: int
    formats: tuple[str, ...]
    outcome: Event | Refusal

    def lines(self) -> Iterable[str]:
        """Return the fields that have a value, a line each.

        Then the keys that stayed in the attributes; or the reason of the refusal.
        """
        if isinstance(self.outcome, Refusal):
            yield f"refused: {self.outcome.reason}: {self.outcome.detail}"
            return
        yield f"format: {', '.join(self.formats) or GENERAL.name}"
        for name, value in self.outcome._asdict().items():
            if name == "timestamp":
                yield f"{name}: {EPOCH + timedelta(microseconds=value)}"
            elif value is not None and name != "attributes":
                yield f"{name}: {value}"
        if self.outcome.attributes:
            yield f"stayed in attributes: {', '.join(json.loads(self.outcome.attributes))}"


def explain(parser: Parser, value: bytes, key: bytes | None, kafka_timestamp: int) -> Sequence[Explanation]:
    """Explain each event of a record, or its refusal.

    With the formats that were recognised. `kafka_timestamp` is in µs UTC.
    """
    outcomes = parser.parse_record(value, key, kafka_timestamp)
    names = _names(parser, value)
    return [Explanation(position, names, outcome) for position, outcome in enumerate(outcomes)]


def _names(parser: Parser, value: Any) -> tuple[str, ...]:
    try:
        return parser.formats_of(value)
    except Refused:
        return ()
