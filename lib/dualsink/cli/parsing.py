"""Commands of the parser, which need no server."""

import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dualsink import words
from dualsink.events import describe
from dualsink.events.model import Refusal
from dualsink.events.reading import Reading
from dualsink.kafka import file_page, log_files
from dualsink.operations.plan import Say
from dualsink.settings import Settings

_STYLES = {"refused": "red", "format": "cyan", "level": "bold", "stayed in attributes": "yellow"}


def parse(settings: Settings, say: Say, file: Path) -> None:
    """Show the events and refusals of a file.

    Of each event its fields, and the keys that stayed in `attributes`.

    Raises InputError for a file that cannot be read, SettingsError for formats that are no declarations.
    """
    reading = Reading.of(settings)
    console, arrival = Console(highlight=False, soft_wrap=True), time.time_ns() // 1_000
    events = refused = 0
    for number, record in enumerate(log_files.read(file, reading), 1):
        for each in describe.explain(reading.parser, record.value, record.key or None, arrival):
            console.print(Text(f"record {number}, position {each.position}", "dim"))
            for line in each.lines():
                console.print(_coloured(line))
            refused += isinstance(each.outcome, Refusal)
            events += not isinstance(each.outcome, Refusal)
    say(f"{events} events, {refused} refused")


def _coloured(line: str) -> Text:
    name, _, rest = words.visible(line).partition(": ")
    return Text.assemble("  ", (name, _STYLES.get(name, "green")), ": ", (rest, "red" if name == "refused" else ""))


def formats(settings: Settings, say: Say) -> None:
    """Print the page of formats, `docs/formats.md`."""
    say(f"{describe.formats_page()}\n{file_page.page()}".rstrip("\n"))
