"""Exports of the explorer: files that no spreadsheet runs, and questions that find the same elsewhere."""

import csv
import io
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.support.corpus import KAFKA_TIMESTAMP

from dualsink.events.catalogue import FORMATS
from dualsink.events.model import COORDINATES, Event
from dualsink.events.parser import Parser
from dualsink.events.reading import Reading
from dualsink.events.strict_json import read_exactly
from dualsink.kafka import log_files
from dualsink.notebook.explorer import exports
from dualsink.notebook.explorer.answers import FIELDS, Search
from dualsink.notebook.explorer.stores import Stores
from dualsink.settings import Settings

SHAPES = Path(__file__).parents[2] / "data" / "log_shapes.ndjson"
CASES = [json.loads(line) for line in SHAPES.read_text(encoding="utf-8").splitlines()]
START, END = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
EVENT = dict.fromkeys((*FIELDS, "tier")) | {
    "timestamp": START, "level": "ERROR", "service": "cart", "message": "a, \"b\"\nc", "attributes": {"code": 7},
}  # fmt: skip


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1+1", "\uff1d1", "\t=1", "\r=1", '=HYPERLINK("http://x","y")']
)
def test_a_text_that_a_spreadsheet_would_run_is_neutralised(text):
    (row,) = csv.DictReader(io.StringIO(exports.as_csv([EVENT | {"message": text}]), newline=""))
    assert row["message"] == f"'{text}"


def test_csv_keeps_commas_quotes_and_lines():
    (row,) = csv.DictReader(io.StringIO(exports.as_csv([EVENT]), newline=""))
    assert (row["message"], row["attributes"]) == ('a, "b"\nc', '{"code":7}')
    assert row["timestamp"] == "2026-11-23T00:00:00+00:00"


def test_ndjson_is_one_event_a_line():
    lines = exports.as_ndjson([EVENT, EVENT | {"message": "ü"}]).splitlines()
    assert [json.loads(line)["message"] for line in lines] == [EVENT["message"], "ü"]
    assert json.loads(lines[0])["attributes"] == {"code": 7}


def test_numbers_in_attributes_are_written_as_they_were_sent():
    text = '{"order":9007199254740993,"wide":12345678901234567890123,"price":0.10}'
    event = EVENT | {"attributes": read_exactly(text)}
    (row,) = csv.DictReader(io.StringIO(exports.as_csv([event]), newline=""))
    assert row["attributes"] == text
    assert f'"attributes":{text}' in exports.as_ndjson([event])


@pytest.mark.parametrize("write, suffix", [(exports.as_ndjson, "ndjson"), (exports.as_csv, "csv")])
def test_an_export_is_read_back_as_the_events_that_it_shows(tmp_path, write, suffix):
    parser = Parser()
    values = [case["input"].encode() for case in CASES if "input" in case]
    values += [format.example.encode() for format in FORMATS]
    sent = [e for value in values for e in parser.parse_record(value, None, KAFKA_TIMESTAMP) if isinstance(e, Event)]
    path = tmp_path / f"export.{suffix}"
    path.write_text(write(map(as_found, sent)), encoding="utf-8", newline="")
    back = [parser.parse(record.value, record.key, KAFKA_TIMESTAMP) for record in log_files.read(path, Reading())]
    assert [(e._replace(attributes=None), names(e)) for e in back] == [
        (e._replace(attributes=None), names(e)) for e in sent
    ]


def as_found(event: Event) -> dict[str, Any]:
    """An event as a search finds it."""
    attributes = read_exactly(event.attributes) if event.attributes else None
    moment = datetime.fromtimestamp(event.timestamp // 1_000_000, UTC).replace(microsecond=event.timestamp % 1_000_000)
    where = dict(zip(COORDINATES, ("t", "i", 0, 12, 0, 1, 1_795_428_001_000), strict=True))
    return event._asdict() | where | {"timestamp": moment, "attributes": attributes, "tier": "hot"}


def names(event: Event) -> list[str]:
    """Names of attributes; one that is a column's name has an underscore in front once it was exported."""
    return sorted(name.lstrip("_") for name in json.loads(event.attributes or "{}"))


def test_the_sql_of_a_search_runs_as_it_is():
    wanted = Search("it's level:ERROR timestamp:>2026-11-01", START, END, ("ERROR",), ("cart",))
    sql = exports.questions(Stores.of(Settings()), wanted)["sql"]
    with duckdb.connect() as database:
        database.execute("CREATE SCHEMA demo")
        columns = "level VARCHAR, service VARCHAR, host VARCHAR, message VARCHAR, stack_trace VARCHAR"
        table = f'CREATE TABLE demo."application_logs_archive" ("timestamp" TIMESTAMPTZ, {columns}, attributes VARCHAR)'
        database.execute(table)
        row = "('2026-11-23T10:00Z', 'ERROR', 'cart', NULL, 'it''s late', NULL, NULL)"
        database.execute(f"INSERT INTO demo.application_logs_archive VALUES {row}")
        assert len(database.execute(sql).fetchall()) == 1


def test_the_curl_command_is_one_command_and_names_secrets_by_their_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("DUALSINK_OPENSEARCH_USER", "reader")
    monkeypatch.setenv("DUALSINK_OPENSEARCH_PASSWORD", "hunter2")
    curl = exports.questions(Stores.of(Settings()), Search("it's; touch $(x) `y`", START, END))["curl"]
    assert "hunter2" not in curl and '-u "$DUALSINK_OPENSEARCH_USER:$DUALSINK_OPENSEARCH_PASSWORD"' in curl
    # A function in place of curl shows what a shell hands to it.
    shown = subprocess.run(
        ["bash", "-c", f"curl() {{ printf '%s\\0' \"$@\"; }}; {curl}"], capture_output=True, check=True
    )
    *_, address, _, body = shown.stdout.decode().rstrip("\0").split("\0")
    assert address.endswith("/application-logs/_search")
    assert json.loads(body) == json.loads(
        exports.questions(Stores.of(Settings()), Search("it's; touch $(x) `y`", START, END))["dsl"]
    )


def test_what_the_archive_cannot_be_asked_is_said_in_its_place():
    found = exports.questions(Stores.of(Settings()), Search("/x+/", START, END))
    assert "cannot be asked" in found["sql"]
    assert json.loads(found["dsl"])
