"""Cancellation of a question that nobody waits for any more.

A question whose time is up is cancelled too.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dualsink.errors import DualsinkError, ServiceUnavailable

_EVERY = 0.05
"""Seconds between two looks at whether a question has ended."""


class Cancelled(DualsinkError):
    """Cancellation by whoever asked."""


class Cancellation:
    """Cancellation of one question; safe for threads."""

    def __init__(self) -> None:
        self._requested = threading.Event()

    def request(self) -> None:
        """End what runs for the question; nothing more is begun."""
        self._requested.set()

    def reason(self) -> DualsinkError | None:
        """Return why the question has ended, if it has."""
        return Cancelled("The search was cancelled.") if self._requested.is_set() else None

    def check(self) -> None:
        """Raise the reason if the question has ended."""
        if reason := self.reason():
            raise reason

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` if the question ends meanwhile.

        It is called again and again until the block is left: between two steps of the block it may have no effect.
        Raises the reason if the question ended before the block, and instead of any error of a block that was ended.
        """
        self.check()
        left = threading.Event()
        watch = threading.Thread(target=self._watch, args=(end, left), daemon=True)
        watch.start()
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            left.set()
            watch.join()

    def _watch(self, end: Callable[[], None], left: threading.Event) -> None:
        while not left.wait(_EVERY):
            if self.reason():
                end()


class _Limit(Cancellation):
    """Cancellation that is also requested when a time is up."""

    def __init__(self, outer: Cancellation, seconds: float, message: str):
        super().__init__()
        self._outer, self._message = outer, message
        self._end = time.monotonic() + seconds

    def reason(self) -> DualsinkError | None:
        late = time.monotonic() > self._end
        return self._outer.reason() or (ServiceUnavailable(self._message) if late else super().reason())


CURRENT: ContextVar[Cancellation] = ContextVar("cancellation")
"""Cancellation of the question that this thread answers."""


def current() -> Cancellation:
    """Return the cancellation of this thread's question.

    Without a question, one that nobody requests.
    """
    return CURRENT.get(None) or Cancellation()


@contextmanager
def limited(seconds: float, message: str) -> Iterator[Cancellation]:
    """Limit the time of what this thread does.

    What is ended then raises ServiceUnavailable with the message. A question that is cancelled ends it earlier.
    """
    token = CURRENT.set(_Limit(current(), seconds, message))
    try:
        yield CURRENT.get()
    finally:
        CURRENT.reset(token)
