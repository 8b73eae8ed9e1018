"""Scenarios run, and their outcomes as JSON and as the table of the README."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from dualsink.chaos.outcome import Counts, Outcome
from dualsink.chaos.registry import SCENARIOS
from dualsink.chaos.world import Scenario, Turn, World
from dualsink.errors import LedgerMismatch, SettingsError
from dualsink.results import write_json

_HEAD = ("What was done", "The run under fault", "Ledger before", "Ledger after", "Left behind", "Recovered in")
_NONE = "not taken"


def listed(text: str) -> list[str]:
    """Names in a parameter: with commas between them, or `all`."""
    return [] if text.strip() == "all" else [name.strip() for name in text.split(",") if name.strip()]


def choose(names: Iterable[str]) -> list[str]:
    """Names of scenarios in the registry's order, all for none. Raises SettingsError listing the known ones."""
    wanted = set(names)
    if strange := wanted - set(SCENARIOS):
        raise SettingsError(f"No scenario {', '.join(sorted(strange))}: there are {', '.join(SCENARIOS)}.")
    return [name for name in SCENARIOS if name in wanted or not wanted]


def run(world: World, names: Iterable[str] = (), say: Callable[[str], None] = print) -> list[Outcome]:
    """Run scenarios (all by default), with a line said of each as it ends.

    Most run two side by side, as most of a driver's life needs one core.
    """
    chosen = [SCENARIOS[name] for name in choose(names)]
    found: dict[str, Outcome] = {}
    for turn in Turn:
        pool = ThreadPoolExecutor(2 if turn is Turn.BESIDE_OTHERS else 1)
        try:
            for done in as_completed([pool.submit(_timed, each, world) for each in chosen if each.turn is turn]):
                outcome, seconds = done.result()
                found[outcome.scenario] = outcome
                say(f"{line(outcome)} ({seconds:.0f} s in all)")
        finally:
            pool.shutdown(cancel_futures=True)
    return [found[scenario.name] for scenario in chosen]


def _timed(scenario: Scenario, world: World) -> tuple[Outcome, float]:
    began = time.monotonic()
    return scenario(world), time.monotonic() - began


def line(outcome: Outcome) -> str:
    """One outcome in one line: both ledgers, what was left behind, the seconds, and what should not have been."""
    ledgers = f"before {outcome.before or _NONE}; after {outcome.after or _NONE}"
    told = f"{outcome.scenario}: {ledgers}; left behind: {_left(outcome)}; {_seconds(outcome)}"
    return f"[OK] {told}" if outcome.ok else f"[FAIL] {'; '.join([told, *outcome.problems])}"


def check(outcomes: Iterable[Outcome]) -> None:
    """Raise LedgerMismatch with a line for each scenario that did not end well."""
    if bad := [line(outcome) for outcome in outcomes if not outcome.ok]:
        raise LedgerMismatch("\n".join(bad))


def write(file: Path, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes as JSON."""
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(file, {"taken_at": taken, "outcomes": [asdict(outcome) for outcome in outcomes]})


def read(file: Path) -> list[Outcome]:
    """Outcomes as `write` left them."""
    return [_outcome(fields) for fields in orjson.loads(file.read_bytes())["outcomes"]]


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a Markdown table."""
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
