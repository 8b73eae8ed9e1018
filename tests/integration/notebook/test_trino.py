"""Trino beside the other servers: its own start and end, and the archive's questions answered as Spark answers them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
from pandas.testing import assert_frame_equal
from trino.dbapi import Connection
from trino.exceptions import TrinoUserError

from dualsink.errors import PlatformError
from dualsink.kafka import producer
from dualsink.kafka.source import Source
from dualsink.kafka.topic import Topic
from dualsink.notebook import plots, queries, trino
from dualsink.opensearch import questions
from dualsink.operations import setup
from dualsink.settings import Settings, project_root
from dualsink.spark import java
from dualsink.stream import query
from dualsink.stream.health import require_servers
from dualsink_workbench.servers.stack import LocalServers, ServerStatus
from dualsink_workbench.servers.trino import Trino

NOTEBOOK = project_root(Path(__file__)) / "notebooks" / "04_query.ipynb"


@pytest.fixture(scope="module")
def stores(local: Settings, spark, tmp_path_factory) -> Settings:
    """A pipeline of this module's own with 400 events in two commits."""
    folder = tmp_path_factory.mktemp("trino")
    names = {"kafka_topic": "trino", "iceberg_table": "trino", "opensearch_index": "trino"}
    places = {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)}
    settings = local.model_copy(update=names | places | {"num_log_events": 200})
    setup.create_all(spark, settings)
    for seed in (1, 2):
        producer.produce(Source.of(settings.model_copy(update={"seed": seed})).records(), Topic.of(settings))
        query.run(spark, settings)
    return settings


@pytest.fixture(scope="module")
def running(servers: LocalServers) -> Iterator[ServerStatus]:
    """Trino's status once it is up; it is stopped again, since no other test needs it."""
    try:
        java.find(Trino.need)
    except PlatformError as missing:
        pytest.skip(str(missing))
    assert servers.up(extra=["trino"]) == ["trino"]
    yield status_of_trino(servers)
    servers.down(["trino"])


@pytest.fixture(scope="module")
def analyst(stores: Settings, running: ServerStatus) -> Iterator[Connection]:
    with closing(trino.Trino.of(stores).connect()) as connection:
        yield connection


def status_of_trino(servers: LocalServers) -> ServerStatus:
    return next(status for status in servers.status() if status.name == "trino")


def test_trino_is_optional_and_its_absence_is_told(servers, local):
    assert not status_of_trino(servers).running
    assert status_of_trino(servers).optional
    require_servers(local)
    assert trino.Trino.of(local).connect() is None


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


def asked(cell_id: str, settings: Settings, spark, analyst: Connection | None) -> dict:
    """What a cell of 04_query leaves, with Trino or, without an analyst, with Spark."""
    notebook = nbformat.read(NOTEBOOK, nbformat.NO_CONVERT)
    sources = {cell.id: cell.source for cell in notebook.cells}
    names = {"settings": settings, "spark": spark, "trino": trino, "display": print, "plots": plots}
    exec(sources["04-services"], names)
    exec(sources["04-trino"], names)
    names["analyst"] = analyst
    exec(sources[cell_id], names)
    return names


@pytest.mark.parametrize(("cell_id", "answer"), [("04-analysts", "by_sql"), ("04-snapshots", "snapshots")])
def test_the_notebooks_sql_gives_the_same_answer_as_in_spark(analyst, spark, stores, cell_id, answer):
    by_trino, by_spark = (asked(cell_id, stores, spark, engine)[answer] for engine in (analyst, None))
    assert len(by_trino)
    for frame in (by_trino, by_spark):
        for name in frame.select_dtypes(["datetime", "datetimetz"]):
            frame[name] = pd.to_datetime(frame[name], utc=True)
    assert_frame_equal(by_trino, by_spark, check_dtype=False)


@pytest.mark.parametrize("name", questions.all_questions("", ""))
def test_a_question_finds_the_same_events_by_trino_and_by_spark(analyst, spark, stores, name):
    known = queries.latest(spark, stores.archive_table, limit=400)
    trace = spark.table(stores.archive_table).where("trace_id IS NOT NULL").first().trace_id
    question = questions.all_questions(known["service"].mode()[0], trace)[name]
    text = f"SELECT message FROM {stores.archive_table} WHERE {question.sql} ORDER BY timestamp, message"
    by_trino, by_spark = trino.ask(analyst, text, **question.args), spark.sql(text, args=question.args).toPandas()
    assert_frame_equal(by_trino, by_spark, check_dtype=False)


def test_snapshots_bear_the_streams_batches(analyst, spark, stores):
    assert list(asked("04-snapshots", stores, spark, analyst)["snapshots"]["batch"]) == ["1", "0"]


def test_an_analyst_cannot_change_the_archive(analyst, stores):
    cursor = analyst.cursor()
    with pytest.raises(TrinoUserError, match="Access Denied"):
        cursor.execute(f"DELETE FROM {stores.database_name}.{stores.iceberg_table}").fetchall()


def test_once_stopped_it_is_absent_again(servers, running, stores):
    servers.stop("trino")
    assert trino.Trino.of(stores).connect() is None
    assert not psutil.pid_exists(running.pid)
