"""The producer on a broker of its own that falls silent: it says so, soon, and does not fill the memory meanwhile."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from dualsink.errors import ServiceUnavailable
from dualsink.kafka import producer, topic
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.settings import Settings
from dualsink_workbench.servers.stack import LocalServers, free_settings


@dataclass
class Broker:
    """A broker that can be frozen."""

    topic: Topic
    pid: int
    taken: list[int] = field(default_factory=list)

    def records(self, count: int, frozen_after: int) -> Iterator[Record]:
        """Records, in the midst of which the broker freezes; `taken` has the numbers of those that were taken."""
        for number in range(count):
            if number == frozen_after:
                os.kill(self.pid, signal.SIGSTOP)
            self.taken.append(number)
            yield Record(b"", b"x" * 200, None)


@pytest.fixture
def broker(settings: Settings, tmp_path) -> Iterator[Broker]:
    own = settings.model_copy(update=free_settings(settings, tmp_path))
    servers = LocalServers(own)
    servers.start("kafka")
    (pid,) = [server.pid for server in servers.status() if server.running]
    try:
        topic.ensure_topic(Topic.of(own))
        yield Broker(Topic.of(own), pid)
    finally:
        os.kill(pid, signal.SIGCONT)
        servers.down()
        servers.clean()


def test_a_silent_broker_ends_it_with_few_records_in_memory(broker, monkeypatch):
    monkeypatch.setattr(producer, "_PATIENCE", 3)
    assert producer.produce(broker.records(25_000, frozen_after=-1), broker.topic)["records"] == 25_000
    broker.taken.clear()
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="does not acknowledge records"):
        producer.produce(broker.records(1_000_000, frozen_after=30_000), broker.topic)
    assert time.monotonic() - began < 20
    assert 30_000 < len(broker.taken) <= 2 * producer._UNACKNOWLEDGED


def test_an_interrupt_does_not_wait_for_a_silent_broker(broker):
    def interrupted() -> Iterator[Record]:
        yield from broker.records(1_000, frozen_after=500)
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        producer.produce(interrupted(), broker.topic)
    assert time.monotonic() - began < 10
