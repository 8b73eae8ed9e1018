"""Output of commands: results on stdout, progress on stderr."""

import logging
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dualsink import words
from dualsink.progress import PROGRESS

_TOLD_BY_US = ("kafka", "opensearch", "urllib3")
"""Loggers of clients: of a server that does not answer, or says no, the suite itself says what follows."""


class Talk(logging.Handler):
    """Voice of one command, as a context manager.

    It shows PROGRESS while it is open. On a terminal the newest line of progress stays at the bottom, with the seconds
    since it began. Elsewhere, as in the log of a scheduler, each is a line on standard error.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._said: set[str] = set()
        self._live: Progress | None = None
        self._console = Console(stderr=True, highlight=False, markup=False)

    def __call__(self, line: str) -> None:
        """Print a line, its hidden signs written out."""
        self._said.add(line)
        self._pause()
        print(words.visible(line), flush=True)
        self._resume()

    def rest(self, lines: Iterable[str]) -> None:
        """Print a result's lines that were not printed yet."""
        for line in lines:
            if line not in self._said:
                self(line)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a line of progress."""
        if not self._console.is_terminal:
            print(record.getMessage(), file=sys.stderr, flush=True)
            return
        self._pause()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._live = Progress(
            *columns, console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._live.add_task(record.getMessage(), total=None)
        self._resume()

    def __enter__(self) -> "Talk":
        for name in _TOLD_BY_US:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        PROGRESS.addHandler(self)
        PROGRESS.setLevel(logging.INFO)
        return self

    def __exit__(self, *error: object) -> None:
        PROGRESS.removeHandler(self)
        self._pause()
        self._live = None

    def _pause(self) -> None:
        if self._live:
            self._live.stop()

    def _resume(self) -> None:
        if self._live:
            self._live.start()
