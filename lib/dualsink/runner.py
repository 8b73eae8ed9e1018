"""The main job: servers, notebooks through papermill, report and summary."""

import logging
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from jupyter_client import AsyncKernelManager
from rich.console import Console

from dualsink import pages, results, summary
from dualsink.errors import PlatformError, SettingsError
from dualsink.jvm import SharedJvm
from dualsink.kernel import Kernels
from dualsink.local import java
from dualsink.local.servers import LocalServers, export_credentials
from dualsink.offspring import Offspring
from dualsink.results import Stage
from dualsink.settings import Settings, anchored, project_root

PATHS = ("data_dir", "runs_dir", "input_path", "checkpoint_dir", "opensearch_ca_file", "legal_holds")
"""Parameters that name a file or folder."""
SPARK_STAGES = {"01_setup", "03_stream", "04_query", "05_validate", "07_operate", results.AUDIT_STAGE}
"""Stages that need Spark and leave nothing running in its JVM."""
LEAST_FREE_BYTES = 2 * 10**9
_LONGEST_ERROR = 15


def run(
    settings: Settings,
    stages: list[str],
    out: Console,
    keep_servers: bool = False,
    environment: str = "",
    extra: Iterable[str] = (),
) -> int:
    """Run stages (the usual ones for an empty list) and return the exit status: 0 only if all and the ledger hold.

    `environment` is what the user calls it, a name or a file, for the hints at the end; `extra` are optional servers.

    What was started is stopped again, also when a stage fails or this process is told to end; the run's folder stays.
    Raises PlatformError where the machine lacks something, SettingsError for an unknown stage or a run id in use.
    """
    notebooks = find_notebooks(stages)
    settings = with_run_id(absolute(settings))
    preflight(settings, out)
    threading.Thread(target=import_module, args=("papermill",), daemon=True).start()  # takes seconds
    with (
        _run_folder(settings, out),
        _jvm(settings, notebooks) as jvm,
        Kernels(settings, notebooks) as kernels,
        servers(settings, out, keep_servers, extra),
    ):
        status = _Run(settings, notebooks, out, kernels, jvm).to_its_end()
    _say_whats_next(settings, out, keep_servers, environment or settings.environment)
    return 0 if status == "ok" else 1


def find_notebooks(stages: list[str]) -> list[Path]:
    """The notebooks of the stages, by default all up to the ledger; a stage is named `03` or `03_stream`.

    Raises SettingsError listing the known stages.
    """
    known = {file.stem: file for file in all_notebooks()}
    names = {name: stem for stem in known for name in (stem, stem[:2])}
    strange = [stage for stage in stages if stage not in names]
    if strange:
        raise SettingsError(f"No stage {', '.join(strange)}: there are {', '.join(known)}.")
    chosen = {names[stage] for stage in stages} or {stem for stem in known if stem <= results.LEDGER_STAGE}
    return [file for stem, file in known.items() if stem in chosen]


def all_notebooks() -> list[Path]:
    """Every notebook of the suite in order. Raises SettingsError where there is none."""
    found = sorted((project_root() / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise SettingsError(f"No notebooks in {project_root() / 'notebooks'}: run this in a checkout of dualsink.")
    return found


def absolute(settings: Settings) -> Settings:
    """The same settings with absolute folders and files: a notebook runs in a folder of its own."""
    places = {name: anchored(getattr(settings, name), Path.cwd()) for name in PATHS}
    places |= {"data_dir": str(settings.data_path), "runs_dir": str(settings.runs_path)}
    return settings.model_copy(update=places)


def with_run_id(settings: Settings) -> Settings:
    """Settings with a run id, made of the time in UTC and the environment where none was given.

    Raises SettingsError where that run exists already.
    """
    chosen = settings.run_id or f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{settings.environment[:12]}"
    settings = settings.model_copy(update={"run_id": chosen})
    if settings.run_path.exists() and any(settings.run_path.iterdir()):
        raise SettingsError(f"Run {chosen} exists already ({settings.run_path}): choose another --run-id.")
    return settings


def preflight(settings: Settings, out: Console) -> None:
    """Fail early and clearly: a Java for Spark, room on the disk."""
    out.print(f"Spark runs on {java.find('spark')}", style="dim", soft_wrap=True)
    for folder in (settings.data_path, settings.runs_path):
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(existing).free
        if free < LEAST_FREE_BYTES:
            raise PlatformError(
                f"Only {free / 1e9:.1f} GB free for {folder}, a run needs {LEAST_FREE_BYTES / 1e9:.0f} GB. "
                "Make room, or choose other folders with -p data_dir FOLDER and -p runs_dir FOLDER."
            )


@contextmanager
def _run_folder(settings: Settings, out: Console) -> Iterator[None]:
    """The run's folder; it stays, unless no stage began."""
    settings.run_path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        out.print("Stopped as asked; nothing that this run started is left running.", style="yellow")
        raise
    finally:
        if not (settings.run_path / "report.json").is_file():
            shutil.rmtree(settings.run_path)


def _jvm(settings: Settings, notebooks: list[Path]) -> AbstractContextManager[SharedJvm | None]:
    """One JVM for all stages where several use Spark; a stage that fails ends the run, and so this JVM."""
    names = {notebook.stem for notebook in notebooks}
    if len(names & SPARK_STAGES) < 2 or not names <= SPARK_STAGES | {"02_produce"}:
        return nullcontext()
    return SharedJvm(settings, settings.run_path / "spark.log")


# -- servers ---------------------------------------------------------------------------------------


@contextmanager
def servers(settings: Settings, out: Console, keep: bool = False, extra: Iterable[str] = ()) -> Iterator[list[str]]:
    """The servers of an environment while the block runs; those that it had to start are stopped at its end.

    Servers that run already are used and left alone. With `keep` all are left running, unless the block was
    interrupted. External servers are nobody's to start or stop.
    """
    if settings.servers == "external":
        yield []
        return
    local = LocalServers(settings, say=lambda line: out.print(line, style="dim", soft_wrap=True))
    started = local.up(extra)
    export_credentials(settings)
    try:
        yield started
    except (KeyboardInterrupt, SystemExit):
        keep = False
        raise
    finally:
        if started and not keep:
            with unhurried():
                local.down(started)


@contextmanager
def unhurried() -> Iterator[None]:
    """Let no further signal cut short what cleans up."""
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {kind: signal.signal(kind, signal.SIG_IGN) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)


def dead_servers(settings: Settings) -> list[str]:
    """A line for each local server that should run and does not."""
    if settings.servers == "external":
        return []
    return [
        f"{server.name} is no longer running: its log is {server.log_file}"
        for server in LocalServers(settings, say=lambda line: None).status()
        if not (server.running or server.optional)
    ]


# -- stages ----------------------------------------------------------------------------------------


class _Run:
    """One run: its stages, its report, what it prints."""

    def __init__(
        self, settings: Settings, notebooks: list[Path], out: Console, kernels: Kernels, jvm: SharedJvm | None
    ):
        self._kernels = kernels
        self._jvm = jvm
        self._settings = settings
        self._notebooks = notebooks
        self._stages = [Stage(notebook.stem) for notebook in notebooks]
        self._out = out
        self._started = results.now()

    def to_its_end(self) -> str:
        """Run the stages until one fails; returns `ok` or `failed`."""
        self._out.print(f"Run {self._settings.run_id}, {len(self._stages)} stages", soft_wrap=True)
        status = "interrupted"
        try:
            status = "ok" if self._all_hold() else "failed"
        finally:
            with unhurried():
                self._give_back_jvm(status)
                results.write_report(self._settings, self._stages, self._started, status)
        self._summarise()
        return status

    def _give_back_jvm(self, status: str) -> None:
        """It ends beside the servers, unless it might still work for a kernel that is gone."""
        if self._jvm and status == "ok":
            self._jvm.dismiss()
        elif self._jvm:
            self._jvm.kill()

    def _all_hold(self) -> bool:
        for stage, notebook in zip(self._stages, self._notebooks, strict=True):
            stage.status = "running"
            results.write_report(self._settings, self._stages, self._started, "running")
            self._one(stage, notebook)
            if stage.status != "ok":
                self._explain(stage)
                return False
        return self._ledger_holds()

    def _one(self, stage: Stage, notebook: Path) -> None:
        try:
            self._execute(stage, notebook)
        except BaseException:
            stage.status = "interrupted"
            raise
        finally:
            if recorded := results.read(self._settings, stage.name):
                stage.fact, stage.result = recorded["fact"], recorded["result"]
            width = max(len(stage.name) for stage in self._stages)
            self._out.print(summary.stage_line(stage, width), soft_wrap=True)

    def _execute(self, stage: Stage, notebook: Path) -> None:
        """Run one notebook and set the stage's status, seconds and error.

        Its kernel, and all that the kernel started, are gone afterwards, also when this process was told to end.
        """
        output, began = self._settings.run_path / notebook.name, time.monotonic()
        environment = self._jvm.environment() if self._jvm else {}
        kernel = self._kernels.next()
        offspring = Offspring(kernel.process.pid)
        job = _Papermill(self._settings, notebook, kernel.manager(environment))
        try:
            with summary.live_line(self._out) as show:
                job.start()
                while not job.ended.wait(0.25):
                    offspring.look()
                    show(f"{stage.name}  {time.monotonic() - began:.0f} s  {_doing(self._settings, output)}")
        finally:
            with unhurried():
                offspring.end(patience=10 if job.ended.is_set() else 0)
                job.ended.wait(10)
            stage.seconds = round(time.monotonic() - began, 1)
        stage.status, stage.error = ("failed", describe(job.error)) if job.error else ("ok", "")

    def _explain(self, stage: Stage) -> None:
        for line in (stage.error, *dead_servers(self._settings)):
            self._out.print(line, style="red", soft_wrap=True)
        self._out.print(f"Executed notebook: {self._settings.run_path / stage.name}.ipynb", soft_wrap=True)

    def _ledger_holds(self) -> bool:
        """Whether the ledger holds; true where this run was not asked for one."""
        asked = self._settings.enable_validation and results.LEDGER_STAGE in {stage.name for stage in self._stages}
        if not asked:
            return True
        ledger = results.ledger(self._settings)
        if ledger is None:
            self._out.print(f"{results.LEDGER_STAGE} recorded no ledger.", style="red")
        return bool(ledger and ledger["holds"])

    def _summarise(self) -> None:
        if ledger := results.ledger(self._settings):
            summary.show_ledger(ledger, self._out)
        self._out.print(f"Report:    {self._settings.run_path / 'report.json'}", soft_wrap=True)
        self._out.print(f"Notebooks: {self._settings.run_path}/*.ipynb", soft_wrap=True)
        if (audit := self._settings.run_path / f"{results.AUDIT_STAGE}.ipynb").is_file():
            self._out.print(f"Page:      {pages.write(audit)}", soft_wrap=True)


def _say_whats_next(settings: Settings, out: Console, kept: bool, environment: str) -> None:
    option = "" if environment == "local" else f" --env {environment}"
    out.print(f"Explore:   ./run_all.sh lab{option}", soft_wrap=True)
    if kept and settings.servers == "local":
        out.print(f"Servers:   left running; ./run_all.sh status{option}, ./run_all.sh down{option}", soft_wrap=True)


class _Papermill(threading.Thread):
    """Papermill beside the main thread, which stays free for signals and progress.

    `ended` instead of `is_alive`: in Python 3.11 a signal during `join` makes a living thread look dead.
    """

    def __init__(self, settings: Settings, notebook: Path, kernel_manager: type[AsyncKernelManager]):
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.error: Exception | None = None
        self._arguments = {
            "input_path": notebook,
            "output_path": settings.run_path / notebook.name,
            "parameters": settings.parameters(),
            "cwd": notebook.parent,
            "kernel_name": "python3",
            "progress_bar": False,
            "kernel_manager_class": kernel_manager,
        }

    def run(self) -> None:
        """Execute the notebook; what it raises is kept in `error`."""
        import papermill

        logging.getLogger("papermill").setLevel(logging.CRITICAL)
        try:
            papermill.execute_notebook(**self._arguments)
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()


def describe(error: Exception) -> str:
    """What a failed notebook said, without its traceback."""
    name, text = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    if name == "DeadKernelError":
        return "The notebook's kernel died. Was it killed, or did memory run out? Its log stands beside the notebook."
    lines = text.strip().splitlines() or [""]
    rest = [f"... {len(lines) - _LONGEST_ERROR} more lines in the notebook"] if len(lines) > _LONGEST_ERROR else []
    return "\n".join([f"{name}: {lines[0]}", *lines[1:_LONGEST_ERROR], *rest])


def _doing(settings: Settings, output: Path) -> str:
    """What the running stage noted last, else the heading above the cell that runs."""
    log = settings.run_path / "progress.log"
    if log.is_file() and output.is_file() and log.stat().st_mtime > output.stat().st_mtime:
        return log.read_text(encoding="utf-8").splitlines()[-1]
    return summary.running_cell(output)
