"""Which records are generated: other texts in every run, the same ones for a seed."""

import json
from datetime import UTC, datetime, timedelta

from dualsink.events.parser import parse
from dualsink.kafka.source import Source, Watched
from dualsink.settings import Settings


def texts(**values: object) -> list[bytes]:
    records = Source.of(Settings(num_log_events=20, **values)).records()
    return [record.value.split(b'"message"')[1] for record in records]


def test_two_runs_send_other_texts_and_one_run_the_same_ones():
    assert texts(run_id="a") == texts(run_id="a") != texts(run_id="b")


def test_without_a_run_a_process_keeps_to_one_seed():
    assert texts() == texts()
    assert Source.of(Settings()).seed > 0


def test_a_seed_that_is_given_wins_over_the_run():
    assert texts(run_id="a", seed=7) == texts(run_id="b", seed=7)


def test_the_seed_is_told():
    assert str(Source.of(Settings(seed=5))) == "generated with seed 5: -p seed 5 makes the same texts again"


def test_events_of_days_that_have_left_the_hot_window_are_counted_on_their_way(tmp_path):
    days = [datetime.now(UTC) - timedelta(days=ago) for ago in (0, 6, 8, 400)]
    lines = [json.dumps({"timestamp": day.isoformat(), "message": "m"}) for day in days]
    file = tmp_path / "a.ndjson"
    file.write_text("\n".join([*lines, "no json"]), encoding="utf-8")
    watched = Watched(Source.of(Settings(input_path=str(file))).records(), hot_days=7)
    assert ([record.value.decode() for record in watched], watched.old) == ([*lines, "no json"], 2)


def test_moved_times_are_those_that_count(tmp_path):
    file = tmp_path / "a.ndjson"
    file.write_text('{"time":"2020-01-02T00:00:00Z","message":"m"}', encoding="utf-8")
    watched = Watched(Source.of(Settings(input_path=str(file), shift_to_now=True)).records(), hot_days=7)
    [moved] = watched
    assert (watched.old, parse(moved.value, None, -1).timestamp) == (0, moved.times[0])
