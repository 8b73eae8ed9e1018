"""JupyterLab on loopback, with the servers of an environment behind it."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from dualsink.runner import all_notebooks, servers, unhurried
from dualsink.settings import Settings, project_root


def run(settings: Settings, out: Console, extra: Iterable[str] = ()) -> int:
    """Serve the project until JupyterLab ends or this process is told to; returns JupyterLab's exit status.

    It binds to 127.0.0.1 on the first free port from 8888 on and asks for the token that it prints.
    """
    with servers(settings, out, extra=extra):
        folder = notebooks(settings)
        out.print(f"Starting JupyterLab at {folder}; Ctrl-C stops it and the servers.", soft_wrap=True)
        # A session of its own: Ctrl-C reaches this process alone, which then ends JupyterLab without its question.
        jupyter = subprocess.Popen(command(folder), start_new_session=True, stdin=subprocess.DEVNULL)
        try:
            return jupyter.wait()
        finally:
            with unhurried():
                _end(jupyter)


def notebooks(settings: Settings) -> Path:
    """The folder to open: the project's notebooks, or copies with these settings where they differ from the defaults.

    The copies go to a new folder in `runs`, so that nothing that someone wrote is ever overwritten.
    """
    if not differing(settings):
        return project_root() / "notebooks"
    folder = settings.runs_path / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-lab-{settings.environment[:12]}"
    for notebook in all_notebooks():
        _copy(notebook, folder / notebook.name, settings)
    return folder


def differing(settings: Settings) -> set[str]:
    """Parameters whose value is not the notebooks' own default; those of a single run do not count."""
    own = {"execution_date", "run_id", "data_dir", "runs_dir"}
    defaults = Settings().parameters()
    places = {"data_dir"} if settings.data_path != Settings().data_path else set()
    return places | {
        name for name, value in settings.parameters().items() if name not in own and value != defaults[name]
    }


def _copy(notebook: Path, target: Path, settings: Settings) -> None:
    import papermill

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    target.parent.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(notebook, target, settings.parameters(), prepare_only=True, kernel_name="python3")


def command(folder: Path) -> list[str]:
    """The command that starts JupyterLab, opened at a folder of the project or at one elsewhere."""
    root = project_root() if folder.is_relative_to(project_root()) else folder
    return [
        *(sys.executable, "-m", "jupyterlab"),
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=8888",
        "--ServerApp.port_retries=100",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={'/lab' if folder == root else f'/lab/tree/{folder.relative_to(root).as_posix()}'}",
        f"--ServerApp.open_browser={_has_desktop()}",
        # Containers run as root; the server listens on loopback only and asks for its token.
        f"--ServerApp.allow_root={os.geteuid() == 0}",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
    ]


def _has_desktop() -> bool:
    shown = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.stdout.isatty() and bool(shown)


def _end(jupyter: subprocess.Popen) -> None:
    if jupyter.poll() is None:
        jupyter.terminate()
        try:
            jupyter.wait(15)
        except subprocess.TimeoutExpired:
            jupyter.kill()
