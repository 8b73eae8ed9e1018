"""Notebook kernels that do their imports ahead of time.

Imports take longer than the work of many a stage.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from dualsink.settings import Settings

# Not matplotlib_inline: it looks for the kernel when it is imported, and shows no picture where there is none yet.
_IMPORTS = ("ipykernel.kernelapp", "dualsink.cli.jobs", "dualsink.notebook.plots", "dualsink.notebook.summaries")


class Kernels:
    """Kernels for notebooks in order, as a context manager.

    Each is made ready while the one before it works.
    """

    def __init__(self, settings: Settings, notebooks: Iterable[Path]):
        self._settings = settings
        self._notebooks = iter(notebooks)
        self._waiting: WaitingKernel | None = None

    def __enter__(self) -> "Kernels":
        self._prepare()
        return self

    def __exit__(self, *error: object) -> None:
        if self._waiting:
            self._waiting.dismiss()

    def next(self) -> "WaitingKernel":
        """Return the kernel of the next notebook."""
        kernel = self._waiting
        self._prepare()
        return kernel

    def _prepare(self) -> None:
        notebook = next(self._notebooks, None)
        self._waiting = notebook and WaitingKernel(notebook.parent, self._settings.run_path / f"{notebook.stem}.log")


class WaitingKernel:
    """Process that waits to become a notebook's kernel.

    It waits in the folder of the notebook and ends when this process does.

    It, and all that it starts, write past the notebook into `log` instead of on the terminal.
    """

    def __init__(self, folder: Path, log: Path):
        # By its parent's id a kernel knows that it is alone; ipykernel reads it when it is imported.
        own = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "JPY_PARENT_PID": str(os.getpid())}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dualsink_workbench.runner.kernels"],
                cwd=folder,
                env={**os.environ, **own},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def manager(self, more: Mapping[str, str]) -> type[AsyncKernelManager]:
        """Return a kernel manager for papermill.

        This process becomes its kernel, with `more` in its environment.
        """
        waiting = self

        class Provisioner(LocalProvisioner):
            async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
                self.process = waiting.process
                self.pid = self.pgid = self.process.pid
                self.cwd = options.get("cwd")
                waiting.begin(cmd, {**options["env"], **more})
                return self.connection_info

        class Manager(AsyncKernelManager):
            async def start_kernel(self, **options: Any) -> None:
                self.provisioner = Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
                await super().start_kernel(**options)

        return Manager

    def begin(self, command: list[str], environment: Mapping[str, str]) -> None:
        """Become a kernel.

        `command` is the one that Jupyter would have started.
        """
        order = {"command": command, "environment": dict(environment)}
        with suppress(BrokenPipeError):  # it was killed: Jupyter notices
            self.process.stdin.write(json.dumps(order).encode())
            self.process.stdin.close()

    def dismiss(self) -> None:
        """End a kernel that is not needed."""
        self.process.kill()
        self.process.wait()


def _wait() -> None:
    for name in _IMPORTS:
        with suppress(Exception):  # the notebook's own import will tell
            import_module(name)
    if order := json.loads(sys.stdin.read() or "null"):
        os.environ.update(order["environment"])
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance(order["command"][order["command"].index("-f") :])


if __name__ == "__main__":
    _wait()
