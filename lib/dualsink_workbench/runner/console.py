"""Console output of a run: stages, ledger, next steps."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dualsink.notebook.results import Stage

_COLOURS = {"ok": "green", "failed": "red", "interrupted": "yellow"}
_SHOWN_DAYS = 14
_SHOWN_DIFFERENCES = 10


def console() -> Console:
    """Return a console for standard output.

    It is coloured and live on a terminal, plain text of a fixed width elsewhere.
    """
    plain = Console(highlight=False, markup=False)
    return plain if plain.is_terminal else Console(highlight=False, markup=False, width=120)


@contextmanager
def live_line(out: Console) -> Iterator[Callable[[str], None]]:
    """Show a line that changes while a stage runs.

    Nothing is shown without a terminal.
    """
    if not out.is_terminal:
        yield lambda line: None
        return
    with out.status("") as status:
        yield lambda line: status.update(Text(line))


def running_cell(notebook: Path) -> str:
    """Return place and title of the running cell.

    Such as `4/9 Write each batch`: the heading or the first sentence above the cell that papermill runs.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError):
        return ""
    code = [i for i, cell in enumerate(cells) if cell["cell_type"] == "code"]
    running = [i for i in code if cells[i]["metadata"].get("papermill", {}).get("status") == "running"]
    if not running:
        return ""
    texts = ["".join(cell["source"]).strip() for cell in cells[: running[0]] if cell["cell_type"] == "markdown"]
    first = texts[-1].splitlines()[0].lstrip("# ") if texts and texts[-1] else ""
    sentence = re.split(r"(?<=[.:?])\s", re.sub(r"[*`]", "", first))[0].rstrip(".:")
    return f"{code.index(running[0]) + 1}/{len(code)} {sentence[:80]}"


def stage_line(stage: Stage, width: int = 0) -> Text:
    """Name, status, seconds and the stage's one fact."""
    line = Text(f"{stage.name:<{width}}  ")
    line.append(f"{stage.status:<11}", style=_COLOURS.get(stage.status, ""))
    return line.append(f"{stage.seconds:7.1f} s  {stage.fact}")


def show_ledger(ledger: dict[str, Any], out: Console) -> None:
    """Print a ledger: statements, verdict, findings with their commands.

    `ledger` is that of `Ledger.as_dict`.
    """
    out.print(partition_table(ledger["partitions"]))
    out.print(day_table(ledger["days"]))
    out.print(_verdict(ledger), soft_wrap=True)
    for found in ledger["verdicts"]:
        ends = f"; `{found['command']}` ends it" if found["command"] else ""
        note = f" ({found['note']})" if found["note"] else ""
        named = ", ".join(found["coordinates"][:_SHOWN_DIFFERENCES])
        finding = f"{found['verdict']} in {found['store']}: {found['count']:,}{note}{ends}"
        out.print(f"  {finding}: {named}" if named else f"  {finding}", soft_wrap=True)


def partition_table(lines: list[dict[str, Any]]) -> Table:
    """Statement 1 of the ledger: Kafka against archive and quarantine."""
    columns = ("partition", "offsets", "Kafka", "archive", "quarantine", "holds")
    table = _table("Kafka = archive + quarantine", columns)
    for line in lines:
        offsets = f"{line['beginning']}..{line['end']}"
        counts = (f"{line[name]:,}" for name in ("kafka", "archive", "quarantine"))
        table.add_row(f"{line['topic']}-{line['partition']}", offsets, *counts, _mark(line["holds"]))
    return table


def day_table(lines: list[dict[str, Any]]) -> Table:
    """Return statement 2 of the ledger: archive against OpenSearch.

    Failing days first, then the newest, at most a screenful.
    """
    table = _table("archive - refused = OpenSearch", ("day", "archive", "refused", "OpenSearch", "holds"))
    newest_first = sorted(lines, key=lambda line: line["day"], reverse=True)
    for line in sorted(newest_first, key=lambda line: line["holds"])[:_SHOWN_DAYS]:
        counts = (f"{line[name]:,}" for name in ("archive", "hot_refusals", "opensearch"))
        table.add_row(line["day"], *counts, _mark(line["holds"]))
    if len(lines) > _SHOWN_DAYS:
        table.caption = f"{len(lines) - _SHOWN_DAYS} more days in report.json"
    return table


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in ("partition", "day", "holds") else "right")
    return table


def _mark(holds: bool) -> Text:
    return Text("yes", style="green") if holds else Text("NO", style="bold red")


def _verdict(ledger: dict[str, Any]) -> Text:
    text = Text("The ledger holds" if ledger["holds"] else "The ledger DOES NOT HOLD")
    text.stylize("bold green" if ledger["holds"] else "bold red")
    text.append(f" (taken {ledger['taken_at']}).")
    return text
