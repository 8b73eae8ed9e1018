"""JupyterLab on loopback, with an environment's servers behind it."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from dualsink import invocation
from dualsink.settings import Settings, project_root
from dualsink_workbench.runner import parameters, runner
from dualsink_workbench.runner.runner import servers, unhurried

_FILES = Path(__file__).with_name("lab")
_WELCOME = "welcome.md"
_LAST = ("class.ipynb", "explorer.ipynb")
"""Notebooks that are no stages."""
_RUNS = 3
"""Runs of before that the page of welcome links."""


def run(settings: Settings, out: Console, extra: Iterable[str] = ()) -> int:
    """Serve the project until JupyterLab ends; return its exit status.

    SIGTERM and Ctrl-C end it. It binds to 127.0.0.1 on the first free port from 8888 on and asks for the token that it
    prints.
    """
    folder = notebooks(settings)
    with servers(settings, out, extra=extra):
        out.print(
            f"Starting JupyterLab on copies of the notebooks in {folder}; Ctrl-C stops it and the servers.",
            soft_wrap=True,
        )
        # A session of its own: Ctrl-C reaches this process alone, which then ends JupyterLab without its question.
        jupyter = subprocess.Popen(command(folder), start_new_session=True, stdin=subprocess.DEVNULL)
        try:
            return jupyter.wait()
        finally:
            with unhurried():
                _end(jupyter)


def notebooks(settings: Settings) -> Path:
    """Copy the notebooks to a new folder; return it.

    A page of welcome is beside them. The folder is in `runs`: no file of the project changes, and nothing that someone
    wrote is overwritten. The copies have these settings where they differ from the notebooks' own. Raises SettingsError
    if there are no notebooks.
    """
    known = runner.all_notebooks()
    source = known[0].parent
    folder = _new_folder(settings)
    params = parameters.write(settings, folder / "params.yaml") if settings.differing(Settings()) else None
    others = [file for name in _LAST if (file := source / name).is_file()]
    for notebook in (*known, *others, *source.glob("solutions/*.ipynb")):
        _copy(notebook, folder / notebook.relative_to(source), settings, params)
    _welcome(settings, folder, [*known, *others])
    return folder


def _new_folder(settings: Settings) -> Path:
    """Create a folder of copies that no other start has."""
    wanted = settings.runs_path / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-lab-{settings.environment[:12]}"
    folder, number = wanted, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:  # of a start in the same second
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")


def _welcome(settings: Settings, folder: Path, notebooks: Iterable[Path]) -> None:
    """Write the page that is opened first."""
    from jinja2 import Environment, FileSystemLoader

    runs = sorted((page.parent.name for page in settings.runs_path.glob("*/index.html")), reverse=True)
    template = Environment(loader=FileSystemLoader(_FILES)).get_template(f"{_WELCOME}.j2")
    titles = [(notebook.stem, _title(notebook)) for notebook in notebooks]
    explore = invocation.command("explore")
    text = template.render(settings=settings, folder=folder, notebooks=titles, explore=explore, runs=runs[:_RUNS])
    (folder / _WELCOME).write_text(text, encoding="utf-8")


def _title(notebook: Path) -> str:
    """Return the first heading, without the stage's number."""
    import nbformat

    heading = nbformat.read(notebook, nbformat.NO_CONVERT).cells[0].source.splitlines()[0]
    return heading.lstrip("# 0123456789")


def _copy(notebook: Path, target: Path, settings: Settings, params: Path | None) -> None:
    """Copy a notebook, with parameters if they differ."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if params is None:
        shutil.copyfile(notebook, target)
        return
    import papermill

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    values = parameters.for_notebook(notebook, settings, params)
    papermill.execute_notebook(notebook, target, values, prepare_only=True, kernel_name="python3")


def command(folder: Path) -> list[str]:
    """Return the command that starts JupyterLab.

    It opens the page of welcome of a folder, of the project or elsewhere.
    """
    root = project_root() if folder.is_relative_to(project_root()) else folder
    first = (folder / _WELCOME).relative_to(root).as_posix()
    return [
        *(sys.executable, "-m", "jupyterlab"),
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=8888",
        "--ServerApp.port_retries=100",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{first}",
        f"--LabApp.app_settings_dir={_FILES}",
        # Of the copies' own: tabs of earlier copies are not opened again.
        f"--LabApp.workspaces_dir={folder / '.workspaces'}",
        f"--ServerApp.open_browser={_has_desktop()}",
        # Containers run as root; the server listens on loopback only and asks for its token.
        f"--ServerApp.allow_root={os.geteuid() == 0}",
        # Other users of this machine reach a kernel's ports too; without it each kernel warns of that.
        "--KernelManager.transport_encryption=auto",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
        # Neither a question about news nor a look for a newer version: this machine may have no way out.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
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
