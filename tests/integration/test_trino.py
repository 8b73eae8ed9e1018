"""Trino beside the other servers: its own start and end, and the archive's questions answered as Spark answers them."""

from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest
from pandas.testing import assert_frame_equal
from trino.dbapi import Connection
from trino.exceptions import TrinoUserError

from dualsink import checks, kafka, queries, questions, source, stream, trino
from dualsink.errors import PlatformError
from dualsink.jobs import require_servers
from dualsink.local import java
from dualsink.local.servers import LocalServers, ServerStatus
from dualsink.settings import Settings


@pytest.fixture(scope="module")
def stores(local: Settings, spark, tmp_path_factory) -> Settings:
    """A pipeline of this module's own with 400 events in two commits."""
    folder = tmp_path_factory.mktemp("trino")
    names = {"kafka_topic": "trino", "iceberg_table": "trino", "opensearch_index": "trino"}
    places = {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)}
    settings = local.model_copy(update=names | places | {"num_log_events": 200})
    checks.create_all(spark, settings)
    for seed in (1, 2):
        kafka.produce(source.records(settings.model_copy(update={"seed": seed})), settings)
        stream.run(spark, settings)
    return settings


@pytest.fixture(scope="module")
def running(servers: LocalServers) -> Iterator[ServerStatus]:
    """Trino's status once it is up; it is stopped again, since no other test needs it."""
    try:
        java.find("trino")
    except PlatformError as missing:
        pytest.skip(str(missing))
    assert servers.up(extra=["trino"]) == ["trino"]
    yield status_of_trino(servers)
    servers.down(["trino"])


@pytest.fixture(scope="module")
def analyst(stores: Settings, running: ServerStatus) -> Iterator[Connection]:
    with closing(trino.connect(stores)) as connection:
        yield connection


def status_of_trino(servers: LocalServers) -> ServerStatus:
    return next(status for status in servers.status() if status.name == "trino")


def test_trino_is_optional_and_its_absence_is_told(servers, local):
    assert not status_of_trino(servers).running
    assert status_of_trino(servers).optional
    require_servers(local)
    assert trino.connect(local) is None


def test_it_runs_on_a_java_of_its_own_and_listens_on_loopback_alone(running):
    sockets = psutil.Process(running.pid).net_connections("inet")
    assert {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    assert java.major(running.java.split()[1]) >= 24
    assert running.healthy


def test_its_keys_are_on_no_command_line_and_in_no_file(running, local):
    secret = local.secret("s3_secret_key_env")
    texts = [file.read_text() for file in running.data_dir.rglob("*.properties")]
    assert len(texts) == 2
    assert [text for text in [*texts, " ".join(psutil.Process(running.pid).cmdline())] if secret in text] == []


@pytest.mark.parametrize("name", ["latest", "errors_per_service", "days_in_archive", "snapshots", "time_travel"])
def test_an_answer_is_the_same_as_sparks(analyst, spark, stores, name):
    by_trino, by_spark = getattr(trino, name)(analyst, stores), getattr(queries, name)(spark, stores)
    assert len(by_trino)
    assert_frame_equal(by_trino, by_spark, check_dtype=False)


def test_partitions_are_those_that_spark_sees_without_their_last_change(analyst, spark, stores):
    by_trino = trino.partitions(analyst, stores)
    assert_frame_equal(by_trino, queries.partitions(spark, stores).drop(columns="last_updated"), check_dtype=False)
    assert by_trino["events"].sum() == 400


@pytest.mark.parametrize("name", questions.all_questions("", ""))
def test_a_question_finds_the_same_events_by_trino_and_by_spark(analyst, spark, stores, name):
    known = queries.latest(spark, stores, limit=400)
    trace = spark.table(stores.archive_table).where("trace_id IS NOT NULL").first().trace_id
    question = questions.all_questions(known["service"].mode()[0], trace)[name]
    by_trino = trino.ask_archive(analyst, stores, question)
    by_spark = queries.ask_archive(spark, stores, question)
    assert by_trino.attrs == by_spark.attrs
    assert_frame_equal(by_trino, by_spark, check_dtype=False)


def test_snapshots_bear_the_streams_batches(analyst, stores):
    assert list(trino.snapshots(analyst, stores)["batch"]) == ["1", "0"]


def test_an_analyst_cannot_change_the_archive(analyst, stores):
    cursor = analyst.cursor()
    with pytest.raises(TrinoUserError, match="Access Denied"):
        cursor.execute(f"DELETE FROM {stores.database_name}.{stores.iceberg_table}").fetchall()


def test_once_stopped_it_is_absent_again(servers, running, stores):
    servers.stop("trino")
    assert trino.connect(stores) is None
    assert not psutil.pid_exists(running.pid)
