"""The query's pieces that need no server."""

import math
import os
import signal
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from dualsink.errors import MappingRefused
from dualsink.settings import Settings
from dualsink.spark import signals
from dualsink.stream import query
from dualsink.stream.sink import BatchReport

DRAIN = ({"availableNow": True}, None)


def test_what_is_there_is_read_to_its_end():
    assert list(query.phases(Settings())) == [DRAIN]


@pytest.mark.parametrize(("seconds", "patience"), [(25, 25), (0, math.inf)])
def test_live_polls_for_a_while_or_until_it_is_told_to_end_and_then_drains(seconds, patience):
    settings = Settings(streaming_mode="live", streaming_duration_seconds=seconds, trigger_seconds=3)
    assert list(query.phases(settings)) == [({"processingTime": "3.0 seconds"}, patience), DRAIN]


# -- the end, between two batches ----------------------------------------------------------------------


class NeverIdle:
    """Stand-in for a query of Spark's that always has a batch to write, and ends with what a batch raises."""

    status = {"isTriggerActive": True}

    def __init__(self, process, batches=math.inf):
        self.process, self.batches, self.done, self.stopped = process, batches, 0, False

    def awaitTermination(self, seconds):  # noqa: N802
        if self.done == self.batches:
            return True
        self.process(None, self.done)
        self.done += 1
        return False

    def stop(self):
        self.stopped = True


@pytest.fixture
def stream(tmp_path, monkeypatch):
    """A stream that notes no signal, reports to nobody and has no checkpoint; its clock goes on a second a batch."""
    made = query.Stream(None, Settings(checkpoint_dir=str(tmp_path)))
    made._checkpoint = SimpleNamespace(save=lambda: None)
    made._signals = SimpleNamespace(check=lambda: None)
    made._telemetry = SimpleNamespace(batch=lambda batch: 0, failure=lambda number, error: None)
    clock = iter(range(1_000_000))
    monkeypatch.setattr(query, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(query.health.Servers, "explained", lambda self, error: error)
    return made


def report(**refused: int) -> BatchReport:
    values = dict.fromkeys(BatchReport.__dataclass_fields__, 0)
    return BatchReport(**values | {"created": 100, "refused": {f"hot: {name}": n for name, n in refused.items()}})


def test_a_query_that_is_never_idle_ends_after_its_time_with_every_batch_whole(stream):
    written = []
    live = NeverIdle(stream.observed(lambda records, batch_id: written.append(batch_id)))
    stream.wait(live, seconds=20)
    assert live.stopped and written == list(range(live.done)) and 1 < live.done < 20


def test_without_a_time_a_query_ends_when_it_has_read_what_is_there(stream):
    whole = NeverIdle(stream.observed(lambda records, batch_id: report()), batches=50)
    stream.wait(whole)
    assert stream.totals()["batches"] == 50


def test_what_a_batch_raises_is_raised_also_when_the_time_is_over(stream):
    def fail(records, batch_id):
        while not stream._is_over():
            pass
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stream.wait(NeverIdle(stream.observed(fail)), seconds=5)


def test_a_batch_whose_mapping_is_wrong_is_done_and_the_next_one_is_not_begun(stream):
    refusing = report(strict_dynamic_mapping_exception=50)
    with pytest.raises(MappingRefused, match="50 of 150 documents"):
        stream.wait(NeverIdle(stream.observed(lambda records, batch_id: refusing)))
    assert stream.totals()["batches"] == 1


def test_documents_that_their_own_values_keep_out_never_end_the_stream(stream):
    refusing = report(illegal_argument_exception=100_000)
    stream.wait(NeverIdle(stream.observed(lambda records, batch_id: refusing), batches=3))
    assert stream.totals()["batches"] == 3


# -- interrupted ---------------------------------------------------------------------------------------


def test_ctrl_c_is_a_short_message_without_what_went_on_inside(stream):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    notes = stream._open.enter_context(signals.noted())
    with pytest.raises(KeyboardInterrupt, match="goes on from the checkpoint") as caught, stream_entered(stream):
        os.kill(os.getpid(), signal.SIGINT)
        notes.check()
    assert caught.value.__suppress_context__


@contextmanager
def stream_entered(stream):
    """A stream that was entered without servers."""
    try:
        yield
    except BaseException as error:
        stream.__exit__(type(error), error, error.__traceback__)
        raise
