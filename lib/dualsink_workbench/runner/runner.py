"""The main job: servers, notebooks through papermill, report and summary."""

import logging
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

from jupyter_client import AsyncKernelManager
from rich.console import Console

from dualsink import invocation, words
from dualsink.errors import PlatformError, SettingsError
from dualsink.notebook import results
from dualsink.notebook.results import Stage
from dualsink.operations import legal_holds
from dualsink.settings import PATHS, Settings, anchored, project_root
from dualsink.spark import java
from dualsink_workbench.runner import console, kernels, pages, parameters
from dualsink_workbench.runner.descendants import Offspring
from dualsink_workbench.runner.kernels import Kernel
from dualsink_workbench.runner.pages import Pages
from dualsink_workbench.runner.shared_jvm import SharedJvm
from dualsink_workbench.servers.server import notice
from dualsink_workbench.servers.stack import LocalServers

SPARK_STAGES = {"01_setup", "03_stream", "04_query", "05_validate", "07_operate", results.AUDIT_STAGE}
"""Stages that need Spark and leave nothing running in its JVM."""
LEAST_FREE_BYTES = 2 * 10**9
_LONGEST_ERROR = 15


def run(
    settings: Settings,
    stages: list[str],
    out: Console,
    keep_servers: bool = False,
    extra: Iterable[str] = (),
) -> int:
    """Run stages and return the exit status.

    The usual stages run for an empty list; the status is 0 only if all of them and the ledger hold.
    `extra` are optional servers.
    What was started is stopped again, also if a stage fails or a signal arrives; the run's folder stays. Raises
    PlatformError if the machine lacks something, SettingsError for an unknown stage or a run id in use.
    """
    notebooks = find_notebooks(stages)
    _check_input(settings)
    legal_holds.read(settings.legal_holds)
    settings = with_run_id(absolute(settings), bool(stages))
    preflight(settings, out)
    kernels.prepare()
    threading.Thread(target=import_module, args=("papermill",), daemon=True).start()  # takes seconds
    with (
        _run_folder(settings, out),
        _jvm(settings, notebooks) as jvm,
        servers(settings, out, keep_servers, extra),
    ):
        job = _Run(settings, notebooks, out, jvm)
        status = job.to_its_end()
    job.say_where()
    _say_whats_next(settings, out, keep_servers, status)
    return 0 if status == "ok" else 1


def _check_input(settings: Settings) -> None:
    if settings.input_path or settings.formats:
        from dualsink.kafka.source import Source  # half a second, which generated events need not wait for

        Source.of(settings).check()


def find_notebooks(stages: list[str]) -> list[Path]:
    """Return the stages' notebooks, by default to the ledger.

    A stage is named `03` or `03_stream`. Raises SettingsError listing the known stages.
    """
    known = {file.stem: file for file in all_notebooks()}
    names = {name: stem for stem in known for name in (stem, stem[:2])}
    strange = [stage for stage in stages if stage not in names]
    if strange:
        raise SettingsError(f"No stage {', '.join(strange)}: there are {', '.join(known)}.")
    chosen = {names[stage] for stage in stages} or {stem for stem in known if stem <= results.LEDGER_STAGE}
    return [file for stem, file in known.items() if stem in chosen]


def all_notebooks() -> list[Path]:
    """Return every notebook of the suite in order.

    Raises SettingsError if there is none.
    """
    notebooks = sorted((project_root() / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise SettingsError(f"No notebooks in {project_root() / 'notebooks'}: run this in a checkout of dualsink.")
    return notebooks


def absolute(settings: Settings) -> Settings:
    """Return the settings with absolute paths.

    A notebook runs in a folder of its own.
    """
    places = {name: anchored(getattr(settings, name), Path.cwd()) for name in PATHS}
    places |= {"data_dir": str(settings.data_path), "runs_dir": str(settings.runs_path)}
    return settings.model_copy(update=places)


def with_run_id(settings: Settings, goes_on: bool = False) -> Settings:
    """Return settings with a run id.

    Without one it is made of the time in UTC and the environment.

    Raises SettingsError if that run exists already, unless it `goes_on` with named stages in the same environment.
    """
    chosen = settings.run_id or f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{settings.environment[:12]}"
    settings = settings.model_copy(update={"run_id": chosen})
    if settings.run_path.exists() and any(settings.run_path.iterdir()):
        _check_goes_on(settings, goes_on)
    return settings


def _check_goes_on(settings: Settings, goes_on: bool) -> None:
    run = f"Run {settings.run_id} exists already ({settings.run_path})"
    report = results.read_report(settings.run_path)
    if not goes_on or report is None:
        raise SettingsError(f"{run}: choose another --run-id, or go on with stages of it, such as --stages 04,05.")
    if report["environment"] != settings.environment:
        raise SettingsError(f"{run} in environment {report['environment']}, not {settings.environment}.")


def preflight(settings: Settings, out: Console) -> None:
    """Fail early without a Java for Spark or disk space."""
    found = java.find(java.SPARK)
    out.print(f"spark: {found}; {found.reason}", style="dim", soft_wrap=True)
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
    """Create the run's folder; keep it once a stage began."""
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
    """Share one JVM if several stages use Spark.

    A stage that fails ends the run, and so this JVM.
    """
    names = {notebook.stem for notebook in notebooks}
    if len(names & SPARK_STAGES) < 2 or not names <= SPARK_STAGES | {"02_produce"}:
        return nullcontext()
    return SharedJvm(settings, settings.run_path / "spark.log")


# -- servers ---------------------------------------------------------------------------------------


@contextmanager
def servers(settings: Settings, out: Console, keep: bool = False, extra: Iterable[str] = ()) -> Iterator[list[str]]:
    """Run the servers of an environment while the block runs.

    Those that had to be started are stopped at its end. Servers that run already are used and left alone. With `keep`
    all are left running, unless the block was interrupted. External servers are nobody's to start or stop.
    """
    if settings.servers == "external":
        yield []
        return
    local = LocalServers(settings, say=lambda line: out.print(line, style="dim", soft_wrap=True))
    started = local.up(extra)
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


def _javas(settings: Settings) -> dict[str, dict[str, str]]:
    """Describe the Java of Spark and each server, with reasons."""
    local = LocalServers(settings).javas() if settings.servers == "local" else {}
    return {"spark": java.describe_spark(settings.spark_master), **local}


def dead_servers(settings: Settings) -> list[str]:
    """Describe each local server that should run and does not."""
    if settings.servers == "external":
        return []
    return [
        notice(server.name, server.log_file, "is no longer running")
        for server in LocalServers(settings, say=lambda line: None).status()
        if not (server.running or server.optional)
    ]


# -- stages ----------------------------------------------------------------------------------------


class _Run:
    """One run: its stages, its report, what it prints."""

    def __init__(self, settings: Settings, notebooks: list[Path], out: Console, jvm: SharedJvm | None):
        self._jvm = jvm
        self._pages = Pages()
        self._settings = settings
        self._notebooks = notebooks
        self._stages = [Stage(notebook.stem) for notebook in notebooks]
        self._out = out
        self._params = parameters.write(settings, settings.run_path / "params.yaml")
        earlier = results.read_report(settings.run_path) or {"stages": [], "started": results.now()}
        self._started = earlier["started"]
        again = {notebook.stem for notebook in notebooks}
        self._earlier = [Stage(**stage) for stage in earlier["stages"] if stage["name"] not in again]
        self._javas = _javas(settings)

    def to_its_end(self) -> str:
        """Run the stages until one fails; returns `ok` or `failed`."""
        self._out.print(f"Run {self._settings.run_id}, {len(self._stages)} stages", soft_wrap=True)
        status = "interrupted"
        try:
            status = "ok" if self._all_hold() else "failed"
        finally:
            with unhurried():
                self._give_back_jvm(status)
                self._report(status)
        if ledger := results.ledger(self._settings.run_path):
            console.show_ledger(ledger, self._out)
        return status

    def _report(self, status: str) -> None:
        results.write_report(self._settings, self._all(), self._started, status, self._javas)

    def _all(self) -> list[Stage]:
        """Return this run's stages, with an earlier part's."""
        return sorted([*self._earlier, *self._stages], key=lambda stage: stage.name)

    def _give_back_jvm(self, status: str) -> None:
        """End the JVM beside the servers.

        At once if it might still work for a kernel that is gone.
        """
        if self._jvm and status == "ok":
            self._jvm.dismiss()
        elif self._jvm:
            self._jvm.kill()

    def _all_hold(self) -> bool:
        for stage, notebook in zip(self._stages, self._notebooks, strict=True):
            stage.status = "running"
            self._report("running")
            self._one(stage, notebook)
            if (executed := self._settings.run_path / notebook.name).is_file():
                self._pages.add(executed, stage.fact)
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
            if recorded := results.read(self._settings.run_path, stage.name):
                stage.fact, stage.result = recorded["fact"], recorded["result"]
            width = max(len(stage.name) for stage in self._stages)
            self._out.print(console.stage_line(stage, width), soft_wrap=True)

    def _execute(self, stage: Stage, notebook: Path) -> None:
        """Run one notebook; set the stage's status, seconds and error.

        Its kernel, and all that the kernel started, are gone afterwards, also after a signal.
        """
        output, start = self._settings.run_path / notebook.name, time.monotonic()
        with console.live_line(self._out) as show:
            show(f"{stage.name}  starting")
            environment = self._jvm.environment() if self._jvm else {}
            kernel = Kernel(notebook.parent, self._settings.run_path / f"{notebook.stem}.log")
            offspring = Offspring(kernel.pid)
            job = _Papermill(self._settings, notebook, self._params, kernel.manager(environment))
            try:
                job.start()
                while not job.ended.wait(0.25):
                    offspring.look()
                    show(f"{stage.name}  {time.monotonic() - start:.0f} s  {_doing(self._settings, output)}")
            finally:
                with unhurried():
                    offspring.end(timeout=10 if job.ended.is_set() else 0)
                    job.ended.wait(10)
                stage.seconds = round(time.monotonic() - start, 1)
        stage.status, stage.error = ("failed", describe(job.error)) if job.error else ("ok", "")

    def _explain(self, stage: Stage) -> None:
        for line in (stage.error, *dead_servers(self._settings)):
            self._out.print(line, style="red", soft_wrap=True)
        self._out.print(f"Executed notebook: {self._settings.run_path / stage.name}.ipynb", soft_wrap=True)

    def _ledger_holds(self) -> bool:
        """Return whether the ledger holds, if this run takes one."""
        asked = self._settings.enable_validation and results.LEDGER_STAGE in {stage.name for stage in self._stages}
        if not asked:
            return True
        ledger = results.ledger(self._settings.run_path)
        if ledger is None:
            self._out.print(f"{results.LEDGER_STAGE} recorded no ledger.", style="red")
        return bool(ledger and ledger["holds"])

    def say_where(self) -> None:
        """Say where pages, report and notebooks are."""
        folder = self._settings.run_path
        for stage, error in self._pages.missing().items():
            self._out.print(f"No page of {stage}: {type(error).__name__}: {error}", style="yellow", soft_wrap=True)
        if report := results.read_report(self._settings.run_path):
            self._out.print(f"Page:      {pages.write_index(report, folder)}", soft_wrap=True)
        self._out.print(f"Report:    {folder / 'report.json'}", soft_wrap=True)
        self._out.print(f"Notebooks: {folder}/*.ipynb", soft_wrap=True)


def _say_whats_next(settings: Settings, out: Console, left_running: bool, status: str) -> None:
    if status == "ok":
        out.print(f"Explore:   {invocation.command('lab')}", soft_wrap=True)
    else:
        out.print("Failed:    the executed notebook shows the cell that failed, with all that it printed")
    if left_running and settings.servers == "local":
        next_ones = f"{invocation.command('status')}, {invocation.command('down')}"
        out.print(f"Servers:   left running; {next_ones}", soft_wrap=True)


class _Papermill(threading.Thread):
    """Papermill in a thread; the main thread stays free.

    It attends to signals and progress. `ended` instead of `is_alive`: in Python 3.11 a signal during `join` makes a
    living thread look dead.
    """

    def __init__(self, settings: Settings, notebook: Path, params: Path, kernel_manager: type[AsyncKernelManager]):
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.error: Exception | None = None
        self._parameters = partial(parameters.for_notebook, notebook, settings, params)
        self._arguments = {
            "input_path": notebook,
            "output_path": settings.run_path / notebook.name,
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
            papermill.execute_notebook(**self._arguments, parameters=self._parameters())
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()


def describe(error: Exception) -> str:
    """Describe a notebook's failure without its traceback."""
    name, text = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    if name == "DeadKernelError":
        return "The notebook's kernel died. Was it killed, or did memory run out? Its log is beside the notebook."
    lines = words.visible(text.strip()).splitlines() or [""]
    rest = [f"... {len(lines) - _LONGEST_ERROR} more lines in the notebook"] if len(lines) > _LONGEST_ERROR else []
    return "\n".join([f"{name}: {lines[0]}", *lines[1:_LONGEST_ERROR], *rest])


def _doing(settings: Settings, output: Path) -> str:
    """Return the running stage's last note, else its heading.

    The heading is the one above the running cell.
    """
    log = settings.run_path / "progress.log"
    if log.is_file() and output.is_file() and log.stat().st_mtime > output.stat().st_mtime:
        return log.read_text(encoding="utf-8").splitlines()[-1]
    return console.running_cell(output)
