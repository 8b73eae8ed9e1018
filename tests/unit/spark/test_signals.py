"""Signals to end: noted while a block runs, then given to the handler that they were meant for."""

import os
import signal
import threading

import pytest

from dualsink.spark import signals


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
    with signals.noted() as notes:
        notes.check()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_waits_until_it_is_obeyed_and_then_reaches_its_handler():
    signal.signal(signal.SIGTERM, exits)
    reached = []
    with pytest.raises(SystemExit) as caught, signals.noted() as notes:
        os.kill(os.getpid(), signal.SIGTERM)
        reached.append("after the signal")
        notes.check()
        reached.append("never")
    assert (caught.value.code, reached) == (143, ["after the signal"])


def test_ctrl_c_is_a_keyboard_interrupt():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), signals.noted() as notes:
        os.kill(os.getpid(), signal.SIGINT)
        notes.check()


def test_a_signal_that_came_too_late_to_be_obeyed_is_not_lost():
    signal.signal(signal.SIGTERM, exits)
    with pytest.raises(SystemExit), signals.noted():
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_handler_that_does_not_raise_ends_the_process_all_the_same():
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    with pytest.raises(SystemExit) as caught, signals.noted() as notes:
        os.kill(os.getpid(), signal.SIGTERM)
        notes.check()
    assert (caught.value.code, seen) == (143, [signal.SIGTERM])


def test_what_shortens_the_wait_is_done_beside_the_block_when_the_signal_comes():
    signal.signal(signal.SIGTERM, exits)
    acted = threading.Event()
    with pytest.raises(SystemExit), signals.noted(acted.set) as notes:
        assert not acted.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert acted.wait(5)
        notes.check()


def test_nothing_is_done_where_no_signal_came():
    acted = threading.Event()
    with signals.noted(acted.set):
        pass
    assert not acted.wait(0.1)


def test_a_second_signal_is_obeyed_at_once():
    signal.signal(signal.SIGTERM, exits)
    with pytest.raises(SystemExit) as caught, signals.noted():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("never")
    assert caught.value.code == 143


def test_a_block_in_a_block_passes_its_signal_on():
    signal.signal(signal.SIGTERM, exits)
    with pytest.raises(SystemExit) as caught, signals.noted() as outer, signals.noted() as inner:
        os.kill(os.getpid(), signal.SIGTERM)
        inner.check()
    assert (caught.value.code, outer.seen) == (143, [signal.SIGTERM])


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals.noted() as notes:
        os.kill(os.getpid(), signal.SIGHUP)
        notes.check()
    assert notes.seen == []


def test_outside_of_the_main_thread_nothing_is_noted():
    done = []

    def work():
        with signals.noted() as notes:
            notes.check()
            done.append(notes.seen)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [[]]
