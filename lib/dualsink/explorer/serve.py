"""The explorer as a page of its own on loopback, served by Voilà, with the servers of an environment behind it."""

import logging
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from dualsink.errors import PlatformError
from dualsink.runner import servers, unhurried
from dualsink.settings import Settings, project_root


def run(settings: Settings, out: Console, port: int) -> int:
    """Serve the page until Voilà ends or this process is told to; returns Voilà's exit status.

    It binds to 127.0.0.1, on `port` or the next free one, and prints the address.
    """
    with servers(settings, out):
        notebook = prepared(settings)
        out.print("Starting the explorer; Ctrl-C stops it and the servers.", soft_wrap=True)
        # A session of its own: Ctrl-C reaches this process alone, which then ends Voilà and its kernels.
        voila = subprocess.Popen(command(notebook, port), start_new_session=True, stdin=subprocess.DEVNULL)
        try:
            return voila.wait()
        finally:
            with unhurried():
                _end(voila)


def prepared(settings: Settings) -> Path:
    """The explorer's notebook with these settings, without its story, in the environment's data folder.

    Raises PlatformError outside of a checkout.
    """
    from papermill.iorw import load_notebook_node, write_ipynb
    from papermill.parameterize import parameterize_notebook

    source = project_root() / "notebooks" / "explorer.ipynb"
    if not source.is_file():
        raise PlatformError(f"No notebook {source}: run this in a checkout of dualsink.")
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    notebook = parameterize_notebook(load_notebook_node(str(source)), settings.parameters())
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    target = settings.data_path / "explorer" / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    write_ipynb(notebook, str(target))
    return target


def command(notebook: Path, port: int) -> list[str]:
    """The command that serves one notebook."""
    return [
        *(sys.executable, "-m", "voila", str(notebook)),
        "--Voila.ip=127.0.0.1",
        f"--Voila.port={port}",
        "--Voila.port_retries=50",
        f"--Voila.open_browser={_has_desktop()}",
        # The page executes its notebook itself: what it does not show, such as a failed start, is in this log.
        "--VoilaConfiguration.show_tracebacks=True",
        "--Voila.log_level=INFO",
    ]


def _has_desktop() -> bool:
    shown = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.stdout.isatty() and bool(shown)


def _end(voila: subprocess.Popen) -> None:
    if voila.poll() is None:
        voila.terminate()
        try:
            voila.wait(15)
        except subprocess.TimeoutExpired:
            voila.kill()
