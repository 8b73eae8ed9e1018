"""Helper processes answer in order, read little ahead, and end whenever their starter ends."""

import math
import operator
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection

import psutil
import pytest

from dualsink.errors import PlatformError
from dualsink.parallel import Helpers

CORES = 3
DOUBLE = partial(operator.mul, 2)
# A user's program, without a guard.
PROGRAM = """
import math, signal, psutil
from dualsink.parallel import Helpers
with Helpers(alone=0, cores=2) as helpers:
    for answer in helpers.map(math.factorial, range(10**9)):
        if answer == 24:
            print(*(child.pid for child in psutil.Process().children()), flush=True)
            signal.pause()
"""


def helpers_here() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "dualsink.parallel" in child.cmdline()]


@pytest.mark.parametrize("alone", [0, 5, 100])
@pytest.mark.parametrize("count", [0, 2, 7])
def test_answers_are_those_of_map(alone, count):
    with Helpers(alone, CORES) as helpers:
        assert list(helpers.map(DOUBLE, range(count))) == list(map(DOUBLE, range(count)))
        assert list(helpers.map(str, range(2 * count))) == list(map(str, range(2 * count)))
    assert not helpers_here()


@pytest.mark.parametrize(("cores", "count"), [(CORES, 5), (1, 50)], ids=["few pieces", "one core"])
def test_no_helper_is_started_for_little(cores, count):
    with Helpers(5, cores) as helpers:
        assert list(helpers.map(DOUBLE, range(count))) == list(map(DOUBLE, range(count)))
        assert not helpers_here()


def test_little_is_read_ahead():
    pieces = iter(range(1000))
    with Helpers(0, CORES) as helpers:
        assert list(islice(helpers.map(DOUBLE, pieces), 10)) == [2 * i for i in range(10)]
        assert next(pieces) == 10 + CORES


def test_pieces_larger_than_a_pipe_pass():
    pieces = [bytes([i]) * 3_000_000 for i in range(8)]
    with Helpers(0, CORES) as helpers:
        assert list(helpers.map(bytes.hex, pieces)) == [piece.hex() for piece in pieces]


def test_no_helper_outlives_an_error_of_the_block():
    with pytest.raises(ZeroDivisionError), Helpers(0, CORES) as helpers:
        for answer in helpers.map(DOUBLE, range(100)):
            assert len(helpers_here()) == CORES
            1 / answer
    assert not helpers_here()


def test_an_error_of_the_pieces_is_raised_here():
    with pytest.raises(ZeroDivisionError), Helpers(0, CORES) as helpers:
        list(helpers.map(DOUBLE, (1 / (20 - i) for i in range(100))))
    assert not helpers_here()


@pytest.mark.parametrize(("function", "code"), [(math.sqrt, 1), (os._exit, 9)], ids=["error", "exit"])
def test_a_helper_that_ends_is_an_error_of_its_own(function, code):
    with pytest.raises(PlatformError, match=f"exit code {code}"), Helpers(0, CORES) as helpers:
        list(helpers.map(function, [9, -1, 9] if function is math.sqrt else [9] * 9))
    assert not helpers_here()


def test_a_helper_that_was_killed_is_an_error():
    with pytest.raises(PlatformError, match="exit code -9"), Helpers(0, CORES) as helpers:
        answers = helpers.map(DOUBLE, range(1000))
        assert next(answers) == 0
        for helper in helpers_here():
            helper.kill()
        list(answers)
    assert not helpers_here()


def test_what_a_function_prints_is_no_answer():
    with Helpers(0, CORES) as helpers:
        assert list(helpers.map(print, range(5))) == [None] * 5


def _double(answers: Connection) -> None:
    with Helpers(0, CORES) as helpers:
        answers.send(list(helpers.map(DOUBLE, range(5))))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_daemonic_process_may_have_helpers(method):
    context = get_context(method)
    mine, theirs = context.Pipe()
    process = context.Process(target=_double, args=(theirs,), daemon=True)
    process.start()
    assert mine.recv() == [0, 2, 4, 6, 8]
    process.join()
    assert process.exitcode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("source", [["-"], ["-c", PROGRAM]], ids=["standard input", "argument"])
def test_no_helper_outlives_its_starter(number, source):
    command = [sys.executable, "-P", *source]
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as program:
        program.stdin.write(PROGRAM)
        program.stdin.close()
        helpers = [int(pid) for pid in program.stdout.readline().split()]
        os.killpg(program.pid, number)  # as a terminal does
        error = program.stderr.read()
    assert len(helpers) == 2
    for pid in helpers:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait(timeout=10)
    assert error.count("Traceback") == (number == signal.SIGINT)
