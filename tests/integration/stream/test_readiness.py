"""Before setup has run: every stage and repair says so in one line, at once, and starts no Spark."""

import time

import pytest

from dualsink.cli import jobs
from dualsink.errors import NotSetUp, ServiceUnavailable
from dualsink.kafka import topic
from dualsink.kafka.topic import Topic
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.stream import readiness

REPAIRS = {
    "produce": (),
    "run_stream": (),
    "query": (),
    "validate": (),
    "redrive": (),
    "replay": ("0", "1"),
    "repair": (),
    "rehydrate": ("2026-11-01", "2026-11-02"),
    "maintain": (),
    "retire": (),
    "audit": (),
    "cost": (),
}


@pytest.mark.parametrize("job", REPAIRS)
def test_a_job_before_setup_says_so_at_once_and_starts_no_spark(settings, monkeypatch, job):
    monkeypatch.setattr(jobs, "spark_session", lambda settings: pytest.fail("Spark was started"))
    began = time.monotonic()
    with pytest.raises(NotSetUp, match="^Setup has to run first .*: there is no (topic|table) [^\n]+$"):
        getattr(jobs, job)(settings, print, *REPAIRS[job])
    assert time.monotonic() - began < 10


def test_alerts_before_setup_say_so(settings):
    with pytest.raises(NotSetUp, match=f"no index template {settings.opensearch_index}"):
        jobs.alerts(settings, print)


def test_everything_that_is_missing_is_named_and_what_is_there_is_not(settings):
    topic.ensure_topic(Topic.of(settings))
    with pytest.raises(NotSetUp) as caught:
        readiness.require_setup(settings)
    missing = [f"table {settings.archive_table}", f"table {settings.quarantine_table}"]
    missing += [f"index template {settings.opensearch_index}"]
    assert str(caught.value).split(": there is ")[1] == "".join(f"no {what}, " for what in missing)[:-2] + "."


def test_a_part_that_a_job_does_not_need_may_be_missing(settings):
    topic.ensure_topic(Topic.of(settings))
    readiness.require_setup(settings, [readiness.topic])
    with index.connect(Cluster.of(settings)) as client:
        index.ensure_template(client, HotTier.of(settings))
    readiness.require_setup(settings, [readiness.topic, readiness.template])


def test_a_silent_opensearch_is_named(settings):
    away = settings.model_copy(update={"opensearch_port": 1})
    with pytest.raises(ServiceUnavailable, match="OpenSearch at 127.0.0.1:1: nothing listens there; start it"):
        readiness.require_setup(away, [readiness.template])
