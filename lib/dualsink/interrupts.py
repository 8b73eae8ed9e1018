"""Being told to end (SIGTERM, SIGHUP, Ctrl-C) while the JVM works: noted at once, obeyed between two calls to it.

An exception out of a signal handler in the middle of a call leaves the call's answer unread in py4j's connection. Every
later call of the thread then reads the answer of the one before it, so that neither query nor session can be stopped.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_KINDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Told(BaseException):
    """This process was told to end."""


class Notes:
    """The signals that came."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def obey(self) -> None:
        """Raise Told where a signal came; to be called between two calls to the JVM."""
        if self.seen:
            raise Told()


@contextmanager
def noted() -> Iterator[Notes]:
    """Note signals while the block runs; at its end the first of them is given to the handler that it was meant for.

    Ignored signals stay ignored. Outside of the main thread, which alone gets signals, nothing is noted.
    """
    notes = Notes()
    previous = _listen(notes) if threading.current_thread() is threading.main_thread() else {}
    try:
        yield notes
    except Told:
        pass
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)
        if notes.seen:
            signal.raise_signal(notes.seen[0])
    if notes.seen:
        sys.exit(128 + notes.seen[0])


def _listen(notes: Notes) -> dict:
    kinds = [kind for kind in _KINDS if signal.getsignal(kind) not in (signal.SIG_IGN, None)]
    return {kind: signal.signal(kind, lambda number, frame: notes.seen.append(number)) for kind in kinds}
