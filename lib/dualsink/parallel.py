"""Helper processes: a function over many pieces, in order.

Python computes on one core at a time. A helper is a process of this module that reads pieces from its standard input
and writes answers to its standard output, so that it ends with the process that started it, however that ends. The
pools of the standard library import the caller's main module again, which neither a script without a guard nor a
program from standard input survives, and read all pieces ahead.
"""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain, islice
from typing import Any, TypeVar

from dualsink.errors import PlatformError

_MOST = 4
"""Helpers that one process can feed."""
Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


class Helpers(ExitStack):
    """Helper processes, which end with the `with` block.

    One a core. This process does the first `alone` pieces itself, so that none is started for less than a start takes.
    """

    def __init__(self, alone: int, cores: int | None = os.cpu_count()) -> None:
        super().__init__()
        self._cores = min(_MOST, cores or 1)
        self._alone = alone if self._cores > 1 else None
        self._helpers: list[_Helper] = []

    def map(self, function: Callable[[Piece], Answer], pieces: Iterable[Piece]) -> Iterator[Answer]:
        """Yield the function's answers, in order; take them all.

        A helper has one piece at a time, and one more is read ahead. Function, pieces and answers are pickled. Raises
        PlatformError if a helper ends by itself.
        """
        pieces = iter(pieces)
        if not self._helpers:
            yield from map(function, islice(pieces, self._alone))
        for piece in pieces:
            yield from self._shared(function, chain([piece], pieces))

    def _shared(self, function: Callable[[Piece], Answer], pieces: Iterator[Piece]) -> Iterator[Answer]:
        busy: deque[_Helper] = deque()
        for helper, piece in zip(self._helpers or self._start(), pieces, strict=False):
            helper.give(piece, function)
            busy.append(helper)
        for piece in pieces:
            helper = busy.popleft()
            answer = helper.answer()
            helper.give(piece)
            busy.append(helper)
            yield answer
        yield from map(_Helper.answer, busy)

    def _start(self) -> "list[_Helper]":
        for _ in range(self._cores):
            self._helpers.append(_Helper())
            self.callback(self._helpers[-1].end)
        return self._helpers


class _Helper:
    """Helper process.

    In a session of its own, because an interrupt is for its starter.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )

    def give(self, piece: Any, function: Callable[[Any], Any] | None = None) -> None:
        """Give a piece, with the function if it changes."""
        try:
            pickle.dump((function, piece), self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None

    def answer(self) -> Any:
        """Wait for the answer to the piece."""
        try:
            return pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError):
            raise self._gone() from None

    def _gone(self) -> PlatformError:
        return PlatformError(
            f"A helper process ended with exit code {self._process.wait()}: "
            "its error is above, or else the machine is short of memory. Try again."
        )

    def end(self) -> None:
        """End the process at once."""
        with suppress(BrokenPipeError), self._process:  # a piece may be on its way
            self._process.kill()


def _serve() -> None:
    """Answer pieces until standard input ends."""
    with suppress(EOFError, BrokenPipeError), open(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what else is printed is no answer
        function: Callable[[Any], Any] | None = None
        while True:
            given, piece = pickle.load(sys.stdin.buffer)
            function = given or function
            pickle.dump(function(piece), answers)
            answers.flush()


if __name__ == "__main__":
    _serve()
