"""Run folder: a JSON result per stage, and `report.json`.

Nothing in it is a secret.
"""

import platform
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from opensearchpy.exceptions import OpenSearchException

from dualsink.errors import PlatformError
from dualsink.files import write_atomically
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings
from dualsink.spark import java

LEDGER_STAGE = "05_validate"
AUDIT_STAGE = "08_audit"
_FORMAT = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass
class Stage:
    """Stage of a run.

    `status` is one of: not run, running, ok, failed, interrupted.
    """

    name: str
    status: str = "not run"
    seconds: float = 0.0
    fact: str = ""
    result: dict[str, Any] | None = None
    error: str = ""


def record(run: Path, stage: str, result: dict[str, Any], fact: str) -> Path:
    """Record a stage's result in the run's folder.

    The file is `results/<stage>.json` there; `fact` is the result in one line for people.
    """
    file = _file(run, stage)
    write_json(file, {"stage": stage, "fact": fact, "recorded_at": now(), "result": result})
    return file


def read(run: Path, stage: str) -> dict[str, Any] | None:
    """Read what `record` wrote for a stage, or None.

    Keys are stage, fact, recorded_at, result.
    """
    file = _file(run, stage)
    return orjson.loads(file.read_bytes()) if file.is_file() else None


def note(run: Path, text: str) -> None:
    """Note in one line what a long stage is doing.

    The console shows the newest line while the run goes on.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / "progress.log").open("a", encoding="utf-8") as log:
        log.write(f"{text}\n")


def ledger(run: Path) -> dict[str, Any] | None:
    """Return the ledger that the run's validation recorded.

    It has the form of `Ledger.as_dict`; None without a validation.
    """
    recorded = read(run, LEDGER_STAGE)
    return (recorded or {}).get("result", {}).get("ledger")


def write_report(
    settings: Settings, stages: Iterable[Stage], started: str, status: str, javas: Mapping[str, Any]
) -> Path:
    """Write `report.json`, the run as programs read it.

    Times are UTC. `javas` names by program which Java ran it and why.
    """
    file = settings.run_path / "report.json"
    report = {
        "run_id": settings.run_id,
        "environment": settings.environment,
        "status": status,
        "started": started,
        "finished": None if status == "running" else now(),
        "versions": versions(settings) if status != "running" else None,
        "java": javas,
        "parameters": settings.parameters(),
        "stages": [asdict(stage) for stage in stages],
        "ledger": ledger(settings.run_path),
    }
    write_json(file, report)
    return file


def read_report(run: Path) -> dict[str, Any] | None:
    """Read the `report.json` of a run, if any."""
    file = run / "report.json"
    return orjson.loads(file.read_bytes()) if file.is_file() else None


def versions(settings: Settings) -> dict[str, str | None]:
    """Return versions; None for what cannot be asked now."""
    return {
        "dualsink": version("dualsink"),
        "python": platform.python_version(),
        "pyspark": version("pyspark"),
        "java": _java(),
        "opensearch": _opensearch(Cluster.of(settings)),
    }


def now() -> str:
    """Return this second in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write a JSON file atomically.

    It is whole also for a reader at the same moment.
    """
    write_atomically(file, orjson.dumps(content, default=str, option=_FORMAT) + b"\n")


def _file(run: Path, stage: str) -> Path:
    return run / "results" / f"{stage}.json"


def _java() -> str | None:
    try:
        return java.find(java.SPARK).full_version
    except PlatformError:
        return None


def _opensearch(cluster: Cluster) -> str | None:
    try:
        with closing(index.connect(cluster, timeout=3)) as client:
            return client.info()["version"]["number"]
    except OpenSearchException:
        return None
