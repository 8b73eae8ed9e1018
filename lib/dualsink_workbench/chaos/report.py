"""Reports of scenarios: JSON, and the table of docs/reliability.md."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from dualsink.errors import LedgerMismatch, SettingsError
from dualsink.notebook.results import write_json
from dualsink_workbench.chaos.outcome import Counts, Outcome
from dualsink_workbench.chaos.registry import SCENARIOS
from dualsink_workbench.chaos.trial import Scenario, Turn, World

_HEAD = ("What was done", "The run under fault", "Ledger before", "Ledger after", "Left behind", "Recovered in")
_NONE = "not taken"


def listed(text: str) -> list[str]:
    """Split names in a parameter, separated by commas, or `all`."""
    return [] if text.strip() == "all" else [name.strip() for name in text.split(",") if name.strip()]


def choose(names: Iterable[str]) -> list[str]:
    """Select scenarios by name in the registry's order.

    No name selects all. Raises SettingsError listing the known ones.
    """
    selected = set(names)
    if strange := selected - set(SCENARIOS):
        raise SettingsError(f"No scenario {', '.join(sorted(strange))}: there are {', '.join(SCENARIOS)}.")
    return [name for name in SCENARIOS if name in selected or not selected]


def run(world: World, names: Iterable[str] = (), say: Callable[[str], None] = print) -> list[Outcome]:
    """Run scenarios, all by default, and report each.

    A line when it begins and one when it ends. Most run two side by side, as most of a driver's life needs one core.
    """
    chosen = [SCENARIOS[name] for name in choose(names)]
    by_name: dict[str, Outcome] = {}
    for turn in Turn:
        pool = ThreadPoolExecutor(2 if turn is Turn.BESIDE_OTHERS else 1)
        try:
            for done in as_completed([pool.submit(_timed, each, world, say) for each in chosen if each.turn is turn]):
                outcome, seconds = done.result()
                by_name[outcome.scenario] = outcome
                say(f"{line(outcome)} ({seconds:.0f} s in all)")
        finally:
            pool.shutdown(cancel_futures=True)
    return [by_name[scenario.name] for scenario in chosen]


def _timed(scenario: Scenario, world: World, say: Callable[[str], None]) -> tuple[Outcome, float]:
    say(f"{scenario.name} begins: {scenario.done}")
    start = time.monotonic()
    return scenario(world), time.monotonic() - start


def line(outcome: Outcome) -> str:
    """Describe one outcome in one line.

    Both ledgers, what was left behind, the seconds, and what should not have been.
    """
    ledgers = f"before {outcome.before or _NONE}; after {outcome.after or _NONE}"
    summary = f"{outcome.scenario}: {ledgers}; left behind: {_left(outcome)}; {_seconds(outcome)}"
    return f"[OK] {summary}" if outcome.ok else f"[FAIL] {'; '.join([summary, *outcome.problems])}"


def check(outcomes: Iterable[Outcome]) -> None:
    """Raise LedgerMismatch naming each scenario that failed."""
    if bad := [line(outcome) for outcome in outcomes if not outcome.ok]:
        raise LedgerMismatch("\n".join(bad))


def write(file: Path, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes as JSON."""
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(file, {"taken_at": taken, "outcomes": [asdict(outcome) for outcome in outcomes]})


def read(file: Path) -> list[Outcome]:
    """Read outcomes from JSON, of `write` or of `06_chaos`."""
    content = orjson.loads(file.read_bytes())
    return [_outcome(fields) for fields in content.get("result", content)["outcomes"]]


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    rows = [_HEAD, ["---"] * len(_HEAD), *map(_row, outcomes)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"


def _row(outcome: Outcome) -> list[str]:
    cells = [
        outcome.done if outcome.ok else f"**FAILED: {outcome.done}: {'; '.join(outcome.problems)}**",
        _shortened(outcome.first_end),
        str(outcome.before or _NONE),
        str(outcome.after or _NONE),
        _left(outcome),
        _seconds(outcome),
    ]
    return [cell.replace("|", "\\|").replace("\n", " ") for cell in cells]


def _left(outcome: Outcome) -> str:
    return ", ".join(outcome.orphans) or "nothing"


def _seconds(outcome: Outcome) -> str:
    if outcome.seconds_to_recover is None:
        return "not recovered"
    return f"{outcome.seconds_to_recover:.0f} s from the {outcome.measured_from}"


def _shortened(text: str, longest: int = 110) -> str:
    return text if len(text) <= longest else f"{text[:longest].rsplit(' ', 1)[0]} …"


def _outcome(fields: dict[str, Any]) -> Outcome:
    counts = {name: Counts(**fields[name]) if fields[name] else None for name in ("before", "after")}
    return Outcome(**fields | counts)
