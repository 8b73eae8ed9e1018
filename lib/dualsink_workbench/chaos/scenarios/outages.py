"""Outages of servers: killed, away, busy, full, refusing, mute."""

import base64
import json
import secrets
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from dualsink.kafka.records import Record
from dualsink_workbench.chaos.faults import PAUSE
from dualsink_workbench.chaos.proxy import Exchange, Rule
from dualsink_workbench.chaos.trial import BACK, BULK, Scenario, Trial, Turn, wait_until
from dualsink_workbench.servers import credentials
from dualsink_workbench.servers.opensearch import OpenSearch

_WATERMARK = "cluster.routing.allocation.disk.watermark"
_UPDATES = "cluster.info.update.interval"


# -- OpenSearch ----------------------------------------------------------------------------------------


def opensearch_killed(trial: Trial) -> None:
    """Kill OpenSearch on the second batch's first bulk request.

    Once it is back, the ledger is taken before it is used.
    """
    trial.produce()
    back = threading.Event()
    killed = Rule(BULK, _kill(trial, "opensearch"), skip=2, limit=1)
    closed = Rule(BULK, lambda exchange: exchange.pass_on() if back.is_set() else exchange.answer(503))
    closed.skip = 2
    driver = trial.start(retry_deadline_seconds=180.0, **trial.proxied("opensearch_port", killed, closed))
    wait_until(lambda: killed.hits == 1, "the second batch")
    trial.servers.start("opensearch")
    trial.broken("went on: its retries outlived the outage")
    trial.clock(BACK)
    back.set()
    trial.recovered(driver.end())
    trial.expect(sum(batch["retries"] for batch in trial.batches()) > 0, "there should have been retries")


def opensearch_down(trial: Trial) -> None:
    """Away for longer than the retry deadline of five seconds."""
    trial.produce()
    killed = Rule(BULK, _kill(trial, "opensearch"), skip=2, limit=1)
    end = trial.run(retry_deadline_seconds=5.0, **trial.proxied("opensearch_port", killed))
    trial.servers.start("opensearch")
    trial.broken(end, "OpenSearch did not take")
    trial.recover()


def opensearch_busy(trial: Trial) -> None:
    """429 to every bulk request until the ledger was taken."""
    trial.produce()
    calm = threading.Event()
    busy = Rule(BULK, lambda exchange: exchange.pass_on() if calm.is_set() else exchange.answer(429))
    driver = trial.start(**trial.proxied("opensearch_port", busy))
    wait_until(lambda: busy.hits >= 4, "retries")
    trial.broken("went on: its retries outlived the outage")
    trial.clock(BACK)
    calm.set()
    trial.recovered(driver.end())
    trial.expect(sum(batch["retries"] for batch in trial.batches()) >= 2, "there should have been retries")


def item_refused(trial: Trial) -> None:
    """Send a number with more digits than OpenSearch takes."""
    trial.produce()
    odd = {"timestamp": datetime.now(UTC).isoformat(), "level": "INFO", "service": "odd", "message": "a long number"}
    value = json.dumps(odd).removesuffix("}") + f', "share": 0.{"1" * 1_100}}}'
    trial.send([Record(b"odd", value.encode(), None)])
    trial.broken("went on")
    trial.recover()
    trial.expect(trial.quarantined("hot") == 1, "one record should be in the quarantine, stage hot")
    archived = trial.spark.table(trial.settings.archive_table).where("service = 'odd'").count()
    trial.expect(archived == 1, "the archive should keep the event")


def wrong_credentials(trial: Trial) -> None:
    """Give a wrong password, to whom `_writer` says."""
    trial.produce()
    user, password, place = _writer(trial)
    names = {"opensearch_user_env": "DUALSINK_CHAOS_USER", "opensearch_password_env": "DUALSINK_CHAOS_PASSWORD"}
    options: dict[str, Any] = names | place
    given = {"DUALSINK_CHAOS_USER": user, "DUALSINK_CHAOS_PASSWORD": "wrong"}
    trial.broken(trial.run(environment=given, **options), "OpenSearch refuses us (401")
    held = trial.spark.table(trial.settings.quarantine_table).count()
    trial.expect(held == 0, "nothing should be quarantined")
    trial.recover(environment=given | {"DUALSINK_CHAOS_PASSWORD": password}, **options)


def _writer(trial: Trial) -> tuple[str, str, dict[str, Any]]:
    """Return a user, his password, and parameters.

    They lead to who asks for the password: that is the node itself if it has users, else a proxy before it.
    """
    if OpenSearch.name in trial.settings.secured_servers:
        return "stream", credentials.users(trial.settings, OpenSearch.name)["stream"], {}
    user, password = "writer", secrets.token_hex(8)
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def ask(exchange: Exchange) -> None:
        known = exchange.request.headers.get("authorization") == expected
        exchange.pass_on() if known else exchange.answer(401, {"error": "Unauthorized"})

    return user, password, trial.proxied("opensearch_port", Rule(".", ask))


def flood_stage(trial: Trial) -> None:
    """Set watermarks that no disk satisfies.

    The node then blocks its indices as if its disk were full.
    """
    trial.produce(500)
    trial.stream()
    trial.produce()
    try:
        _cluster(trial, {f"{_WATERMARK}.low": "9tb", f"{_WATERMARK}.high": "8tb", f"{_WATERMARK}.flood_stage": "7tb"})
        wait_until(lambda: _blocked(trial), "the flood-stage block")
        end = trial.run()
    finally:
        _cluster(trial, {f"{_WATERMARK}.{stage}": None for stage in ("low", "high", "flood_stage")})
        wait_until(lambda: not _blocked(trial), "the end of the flood-stage block")
        _cluster(trial, {_UPDATES: None}, soon=False)
    trial.broken(end, "OpenSearch refuses to write (")
    trial.recover()


def _cluster(trial: Trial, values: dict[str, Any], soon: bool = True) -> None:
    """Change cluster settings.

    `soon` has the node look at its disk every ten seconds, the least it allows.
    """
    values = ({_UPDATES: "10s"} if soon else {}) | values
    with closing(OpenSearch(trial.settings).administrator(timeout=30)) as client:
        client.cluster.put_settings(body={"transient": values})


def _blocked(trial: Trial) -> bool:
    with trial.opensearch() as client:
        by_index = client.indices.get_settings(
            index=f"{trial.settings.opensearch_index}-*", params={"flat_settings": "true"}
        )
    return any("index.blocks.read_only_allow_delete" in index["settings"] for index in by_index.values())


# -- Kafka, Nessie, S3 ---------------------------------------------------------------------------------


def kafka_killed(trial: Trial) -> None:
    """Kill Kafka for three seconds in the second batch.

    The batch has begun and not yet read its records.
    """
    trial.produce()
    driver = trial.start(fault=PAUSE, batch=1)
    driver.await_file("paused")
    trial.broken("went on: its retries outlived the outage")
    trial.kill_server("kafka")
    driver.go()
    time.sleep(3)
    trial.servers.start("kafka")
    trial.clock(BACK)
    trial.recovered(driver.end())


def nessie_killed(trial: Trial) -> None:
    """Kill Nessie during the second batch's commit."""
    trial.produce()
    end = trial.run(**trial.on_commit(_kill(trial, "nessie"), skip=1))
    trial.servers.start("nessie")
    trial.broken(end, "was not confirmed")
    trial.recover()


def answer_lost(trial: Trial) -> None:
    """Perform the second batch's commit, and lose the answer."""
    trial.produce()

    def lose(exchange: Exchange) -> None:
        exchange.forward()
        exchange.drop()

    trial.broken(trial.run(**trial.on_commit(lose, skip=1)))
    trial.recover()


def s3_killed(trial: Trial) -> None:
    """S3 dies when the second batch's first data file arrives."""
    trial.produce()
    put = Rule(r"PUT .*/data/.*\.parquet", _kill(trial, "s3"), skip=2, limit=1)
    end = trial.run(**trial.proxied("s3_endpoint", put))
    trial.servers.start("s3")
    trial.broken(end, "The storage did not take")
    trial.recover()


def foreign_commit(trial: Trial) -> None:
    """Commit to the table during the second batch's own commit.

    The commit is that of another writer.
    """
    trial.produce()
    table = trial.settings.archive_table

    def overtake(exchange: Exchange) -> None:
        # No ledger here: the driver waits for its answer meanwhile, and not for long.
        trial.clock()
        row = "'foreign', timestamp'2020-01-01 00:00:00 UTC', 'INFO', 'foreign', 'foreign', 0, 0L, current_timestamp()"
        names = "log_id, timestamp, level, service, topic, partition, offset, kafka_timestamp"
        trial.spark.sql(f"INSERT INTO {table} ({names}) VALUES ({row})")
        exchange.pass_on()

    end = trial.run(**trial.on_commit(overtake, skip=1))
    trial.first_end = "went on: its commit was repeated on top of the other"
    trial.recovered(end)
    trial.expect(trial.spark.table(table).where("topic = 'foreign'").count() == 1, "the foreign row should be there")


def _kill(trial: Trial, name: str):
    """Kill a server instead of forwarding to it."""

    def act(exchange: Exchange) -> None:
        trial.kill_server(name)
        exchange.drop()

    return act


SCENARIOS = [
    Scenario("opensearch-killed", "OpenSearch killed mid-batch and restarted", opensearch_killed, Turn.ALONE),
    Scenario("opensearch-down", "OpenSearch down for longer than the retry deadline", opensearch_down, Turn.ALONE),
    Scenario("opensearch-busy", "OpenSearch answers 429 for a while", opensearch_busy),
    Scenario("item-refused", "one document refused for its value", item_refused),
    Scenario("wrong-credentials", "wrong credentials for OpenSearch", wrong_credentials),
    Scenario("flood-stage", "OpenSearch blocks its indices: disk flood stage", flood_stage, Turn.ALONE),
    Scenario("kafka-killed", "Kafka broker killed mid-batch and restarted", kafka_killed, Turn.ALONE),
    Scenario("nessie-killed", "Nessie killed during the commit", nessie_killed, Turn.ALONE),
    Scenario("answer-lost", "the commit done, its answer lost", answer_lost),
    Scenario("s3-killed", "S3 killed during the write", s3_killed, Turn.ALONE),
    Scenario("foreign-commit", "a foreign commit to the table during the batch", foreign_commit),
]
