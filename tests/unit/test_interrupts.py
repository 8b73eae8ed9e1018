"""Signals to end: noted while a block runs, then given to the handler that they were meant for."""

import os
import signal
import threading

import pytest

from dualsink import interrupts


@pytest.fixture(autouse=True)
def handlers():
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.getsignal(kind) for kind in kinds}
    yield
    for kind, handler in before.items():
        signal.signal(kind, handler)


def exits(number, frame):
    raise SystemExit(128 + number)


def test_a_block_without_a_signal_ends_as_usual():
    before = signal.getsignal(signal.SIGTERM)
    with interrupts.noted() as notes:
        notes.obey()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_waits_until_it_is_obeyed_and_then_reaches_its_handler():
    signal.signal(signal.SIGTERM, exits)
    reached = []
    with pytest.raises(SystemExit) as caught, interrupts.noted() as notes:
        os.kill(os.getpid(), signal.SIGTERM)
        reached.append("after the signal")
        notes.obey()
        reached.append("never")
    assert (caught.value.code, reached) == (143, ["after the signal"])


def test_ctrl_c_is_a_keyboard_interrupt():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), interrupts.noted() as notes:
        os.kill(os.getpid(), signal.SIGINT)
        notes.obey()


def test_a_signal_that_came_too_late_to_be_obeyed_is_not_lost():
    signal.signal(signal.SIGTERM, exits)
    with pytest.raises(SystemExit), interrupts.noted():
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_handler_that_does_not_raise_ends_the_process_all_the_same():
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    with pytest.raises(SystemExit) as caught, interrupts.noted() as notes:
        os.kill(os.getpid(), signal.SIGTERM)
        notes.obey()
    assert (caught.value.code, seen) == (143, [signal.SIGTERM])


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interrupts.noted() as notes:
        os.kill(os.getpid(), signal.SIGHUP)
        notes.obey()
    assert notes.seen == []


def test_outside_of_the_main_thread_nothing_is_noted():
    done = []

    def work():
        with interrupts.noted() as notes:
            notes.obey()
            done.append(notes.seen)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [[]]
