"""Cancellation of a question that nobody waits for any more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dualsink.errors import DualsinkError


class Cancelled(DualsinkError):
    """Cancellation by whoever asked."""


class Cancellation:
    """Cancellation of one question; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requested = False
        self._ends: list[Callable[[], None]] = []

    def request(self) -> None:
        """End what runs for the question; nothing more is begun."""
        with self._lock:
            self._requested = True
            for end in self._ends:
                end()

    def check(self) -> None:
        """Raise Cancelled if it was requested."""
        if self._requested:
            raise Cancelled("The search was cancelled.")

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` if the question is cancelled meanwhile.

        Raises Cancelled if it was cancelled before the block.
        """
        with self._lock:
            self.check()
            self._ends.append(end)
        try:
            yield
        finally:
            with self._lock:
                self._ends.remove(end)


CURRENT: ContextVar[Cancellation] = ContextVar("cancellation")
"""Cancellation of the question that this thread answers."""


def current() -> Cancellation:
    """Return the cancellation of this thread's question.

    Without a question, one that nobody requests.
    """
    return CURRENT.get(None) or Cancellation()
