"""Signals (SIGTERM, SIGHUP, Ctrl-C) during calls to the JVM.

They are noted at once, and handled between two calls. An exception out of a signal handler in the middle of a call
leaves the call's answer unread in py4j's connection. Every later call of the thread then reads the answer of the one
before it, so that neither query nor session can be stopped.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_KINDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Exception for a signal to end."""


class Notes:
    """The signals that came."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.came, self.over = threading.Event(), threading.Event()

    def check(self) -> None:
        """Raise if a signal came.

        Call it between two calls to the JVM.
        """
        if self.seen:
            raise Stopped()


@contextmanager
def noted(act: Callable[[], None] | None = None) -> Iterator[Notes]:
    """Note signals while the block runs; handle them afterwards.

    At the end of the block the signal goes to its own handler. `act` is called from the signal on, once a second in a
    thread of its own: to shorten what the block waits for. A second signal is handled at once. Ignored signals stay
    ignored. Outside of the main thread, which alone gets signals, nothing is noted.
    """
    notes = Notes()
    previous = _listen(notes) if threading.current_thread() is threading.main_thread() else {}
    if previous and act:
        threading.Thread(target=_repeat, args=(act, notes), daemon=True).start()
    try:
        yield notes
    except Stopped:
        pass
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)
        notes.over.set()
        notes.came.set()
        if notes.seen:
            signal.raise_signal(notes.seen[0])
    if notes.seen:
        sys.exit(128 + notes.seen[0])


def _repeat(act: Callable[[], None], notes: Notes) -> None:
    notes.came.wait()
    while not notes.over.is_set():
        act()
        notes.over.wait(1)


def _listen(notes: Notes) -> dict:
    kinds = [kind for kind in _KINDS if signal.getsignal(kind) not in (signal.SIG_IGN, None)]
    previous = {kind: signal.getsignal(kind) for kind in kinds}

    def note(number: int, frame: FrameType | None) -> None:
        if notes.seen:
            signal.signal(number, previous[number])
            signal.raise_signal(number)
        notes.seen.append(number)
        notes.came.set()

    for kind in kinds:
        signal.signal(kind, note)
    return previous
