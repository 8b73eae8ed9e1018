"""Generated records: the same for the same seed, and each with the verdict that it claims."""

import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone

import pytest

from dualsink.events.parser import Event, Refusal, parse
from dualsink.kafka.generator import MALFORMED, SPREAD, generate
from dualsink.kafka.records import Record

END = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
END_MICROS = int(END.timestamp()) * 1_000_000


def outcomes(records: list[Record]) -> list[Event | Refusal]:
    return [parse(record.value, record.key, END_MICROS) for record in records]


def test_the_same_arguments_give_the_same_records():
    assert list(generate(500, 7, 0.1, END)) == list(generate(500, 7, 0.1, END))


def test_another_seed_gives_other_records():
    assert list(generate(50, 7, 0, END)) != list(generate(50, 8, 0, END))


def test_malformed_ones_replace_records_and_leave_the_others_alone():
    whole, spoilt = list(generate(500, 7, 0, END)), list(generate(500, 7, 0.1, END))
    assert [a for a, b in zip(whole, spoilt, strict=True) if b.reason is None] == [b for b in spoilt if not b.reason]


@pytest.mark.parametrize(("count", "share", "malformed"), [(200, 0.1, 20), (10, 0.5, 5), (7, 1.0, 7), (9, 0.0, 0)])
def test_the_share_of_malformed_records_is_exact(count, share, malformed):
    records = list(generate(count, 7, share, END))
    assert (len(records), sum(record.reason is not None for record in records)) == (count, malformed)


def test_each_record_gets_the_verdict_that_it_claims():
    records = list(generate(2_000, 3, 0.2, END))
    verdicts = [None if isinstance(o, Event) else o.reason for o in outcomes(records)]
    assert verdicts == [record.reason for record in records]


def test_few_malformed_records_show_several_reasons():
    reasons = [record.reason for record in generate(200, 7, 0.05, END) if record.reason]
    assert (len(reasons), len(set(reasons))) == (10, 9)
    assert {reason for _, reason in MALFORMED} >= set(reasons)


def test_events_look_like_those_of_the_tutorial():
    records = list(generate(3, 7, 0, END))
    events = outcomes(records)
    assert [event.log_id for event in events] == ["log_000001", "log_000002", "log_000003"]
    assert [event.service.encode() for event in events] == [record.key for record in records]
    assert all(event.host and event.attributes is None for event in events)


def test_events_lie_in_the_two_hours_before_the_end_nearly_in_order():
    times = [event.timestamp for event in outcomes(list(generate(5_000, 7, 0, END)))]
    start = END_MICROS - SPREAD // timedelta(microseconds=1)
    assert start <= min(times) and max(times) < END_MICROS
    assert max(times) - min(times) > 0.99 * (END_MICROS - start)
    assert all(earlier - later < 5_000_000 for earlier, later in zip(times, times[1:], strict=False))
    assert any(time % 1_000 for time in times)


def test_the_end_may_be_in_any_zone_or_in_none():
    berlin, naive = END.astimezone(timezone(timedelta(hours=1))), END.replace(tzinfo=None)
    assert list(generate(5, 7, 0, END)) == list(generate(5, 7, 0, berlin)) == list(generate(5, 7, 0, naive))


def test_levels_services_and_hosts_vary():
    events = outcomes(list(generate(5_000, 7, 0, END)))
    levels = Counter(event.level for event in events)
    assert set(levels) == {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
    assert levels["INFO"] > levels["DEBUG"] > levels["ERROR"] > levels["FATAL"]
    assert len({event.service for event in events}) == 8
    assert len({event.host for event in events}) == 24


def test_traces_span_services_and_a_service_has_one_span_in_each():
    events = [event for event in outcomes(list(generate(5_000, 7, 0, END))) if event.trace_id]
    services, spans = defaultdict(set), defaultdict(set)
    for event in events:
        services[event.trace_id].add(event.service)
        spans[event.trace_id, event.service].add(event.span_id)
    assert sum(len(names) > 1 for names in services.values()) > len(services) / 2
    assert {len(ids) for ids in spans.values()} == {1}


def test_errors_carry_java_and_python_stack_traces():
    events = outcomes(list(generate(5_000, 7, 0, END)))
    traces = [event.stack_trace for event in events if event.level in ("ERROR", "FATAL")]
    assert all(traces)
    assert {trace.split()[0] for trace in traces} == {"java.net.SocketTimeoutException:", "Traceback"}
    assert not any("{" in event.message + (event.stack_trace or "") for event in events)


@pytest.mark.parametrize(("count", "share"), [(-1, 0), (1, -0.1), (1, 1.1)])
def test_impossible_arguments_are_refused_at_once(count, share):
    with pytest.raises(ValueError, match="count"):
        generate(count, 7, share, END)


def test_nothing_is_generated_for_a_count_of_zero():
    assert list(generate(0, 7, 0.5, END)) == []


def test_records_are_cheap():
    """Target: 100,000 a second. The bound is loose, for machines that are slow or busy."""
    start = time.perf_counter()
    size = sum(len(record.value) for record in generate(20_000, 7, 0, END))
    assert time.perf_counter() - start < 2
    assert 150 < size / 20_000 < 300
