"""Shapes of the benchmark: each holds as many events as asked, all typed, and says what the seed's says."""

from datetime import UTC, datetime

import pytest
from pyspark import cloudpickle

from dualsink.errors import SettingsError
from dualsink.events.parser import Event, Parser
from dualsink_workbench.bench import shapes

NOW = datetime.now(UTC)


def events(name: str, count: int) -> list[Event]:
    make = cloudpickle.loads(cloudpickle.dumps(shapes.make(name, "")))  # as Spark sends it to its workers
    arrived, parser = int(NOW.timestamp()) * 1_000_000, Parser()
    found = [e for record in make(count, 1, NOW) for e in parser.parse_record(record.value, record.key, arrived)]
    assert all(isinstance(event, Event) for event in found)
    return found


@pytest.mark.parametrize("name", shapes.NAMES)
def test_a_shape_holds_the_events_that_were_asked_for(name):
    assert len(events(name, 120)) == 120


@pytest.mark.parametrize("name", ["ecs", "container", "otlp"])
def test_a_shape_says_what_the_seeds_says(name):
    def said(event: Event) -> tuple:
        return event.timestamp, event.level, event.message, event.stack_trace, event.trace_id, event.span_id

    assert list(map(said, events(name, 120))) == list(map(said, events("seed", 120)))


def test_an_unknown_shape_is_refused():
    with pytest.raises(SettingsError, match="No shape round: there are seed, ecs"):
        shapes.make("round", "")
