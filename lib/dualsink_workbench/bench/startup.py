"""Time of the main job, from command to summary."""

import json
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from dualsink.settings import Settings, project_root
from dualsink_workbench.servers.stack import free_settings

_SLOW_CELLS = 8


@dataclass
class Job:
    """Run of `./run_all.sh`; times in seconds since the command.

    `cpu` counts servers too, on all cores.
    """

    summary: float = 0.0
    end: float = 0.0
    cpu: float = 0.0
    ready: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    cells: list[tuple[float, str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        stages = ", ".join(f"{name[:2]} {seconds:.1f}" for name, seconds in self.stages.items())
        ends = f"summary {self.summary:.1f} s, end {self.end:.1f} s, CPU {self.cpu:.1f} s"
        return f"{ends}; servers ready {self.ready:.1f} s, stages {stages}"


def jobs(count: int):
    """Run the job `count` times on servers of its own.

    They share one data folder, which is removed at the end.
    """
    with tempfile.TemporaryDirectory(prefix="dualsink-startup-") as name:
        folder = Path(name)
        values = free_settings(Settings(), folder / "data") | {"environment": "bench", "runs_dir": str(folder / "runs")}
        (folder / "params.json").write_text(json.dumps(values))
        for number in range(count):
            yield _job(folder, f"run{number}")


def _job(folder: Path, run_id: str) -> Job:
    command = [str(project_root() / "run_all.sh"), "--env", str(folder / "params.json"), "--run-id", run_id]
    job, before, start = Job(), _cpu(), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            job.ready = job.ready or (time.monotonic() - start if line.startswith("Run ") else 0.0)
            job.summary = job.summary or (time.monotonic() - start if line.startswith("Report:") else 0.0)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    job.end, job.cpu = time.monotonic() - start, _cpu() - before
    report = json.loads((folder / "runs" / run_id / "report.json").read_text())
    job.stages = {stage["name"]: stage["seconds"] for stage in report["stages"]}
    job.cells = slow_cells(folder / "runs" / run_id)
    return job


def slow_cells(run: Path) -> list[tuple[float, str, str]]:
    """Return the slowest cells of a run.

    Each is (seconds, stage, first line).
    """
    cells = []
    for notebook in sorted(run.glob("*.ipynb")):
        for cell in json.loads(notebook.read_text())["cells"]:
            seconds = cell["metadata"].get("papermill", {}).get("duration") or 0.0
            cells.append((seconds, notebook.stem, "".join(cell["source"]).split("\n", 1)[0]))
    return sorted(cells, reverse=True)[:_SLOW_CELLS]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
