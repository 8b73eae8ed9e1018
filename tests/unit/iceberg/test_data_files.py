"""Data files of one task: by UTC day, with the table's field ids, and never more in memory than a buffer."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from dualsink.errors import ServiceUnavailable
from dualsink.iceberg import data_files
from dualsink.iceberg.data_files import DataFileWriter, Layout

UTC_MICROS = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("timestamp", UTC_MICROS, metadata={"PARQUET:field_id": "2"}),
        pa.field("message", pa.string(), metadata={"PARQUET:field_id": "6"}),
    ]
)
LAYOUT = Layout(SCHEMA, "s3://bucket/data", "timestamp", "timestamp_day")


@pytest.fixture
def storage(tmp_path):
    for day in ("2026-11-23", "2026-11-24"):
        (tmp_path / "bucket" / "data" / f"timestamp_day={day}").mkdir(parents=True)
    return SubTreeFileSystem(str(tmp_path), LocalFileSystem())


def rows(*moments: datetime) -> pa.RecordBatch:
    columns = [pa.array(moments, UTC_MICROS), pa.array([f"at {moment}" for moment in moments])]
    return pa.RecordBatch.from_arrays(columns, ["timestamp", "message"])


LATE, EARLY = datetime(2026, 11, 23, 23, 59, 59, 999_999, UTC), datetime(2026, 11, 24, 0, 0, tzinfo=UTC)


def test_every_utc_day_gets_a_file_with_its_own_rows(storage, tmp_path):
    writer = DataFileWriter(LAYOUT, storage, "task")
    writer.add(rows(LATE, EARLY, LATE))
    files = writer.close()
    found = {f.partition: pq.read_table(tmp_path / f.path.removeprefix("s3://")).num_rows for f in files}
    assert found == {"timestamp_day=2026-11-23": 2, "timestamp_day=2026-11-24": 1}
    assert [(tmp_path / f.path.removeprefix("s3://")).stat().st_size for f in files] == [f.size for f in files]


def test_files_carry_the_field_ids_of_the_table(storage, tmp_path):
    writer = DataFileWriter(LAYOUT, storage, "task")
    writer.add(rows(LATE))
    (file,) = writer.close()
    written = pq.read_schema(tmp_path / file.path.removeprefix("s3://"))
    assert [field.metadata[b"PARQUET:field_id"] for field in written] == [b"2", b"6"]


def test_a_file_comes_back_with_its_footer(storage, tmp_path):
    writer = DataFileWriter(LAYOUT, storage, "task")
    writer.add(rows(LATE, LATE))
    (file,) = writer.close()
    stored = (tmp_path / file.path.removeprefix("s3://")).read_bytes()
    assert file.footer == stored[-8 - int.from_bytes(stored[-8:-4], "little") : -8]


def test_columns_with_few_values_have_a_dictionary_and_no_others(storage, tmp_path):
    names = ["timestamp", "service", "message"]
    schema = pa.schema([pa.field(name, UTC_MICROS if name == "timestamp" else pa.string()) for name in names])
    writer = DataFileWriter(Layout(schema, LAYOUT.location, LAYOUT.day, LAYOUT.partition), storage, "task")
    moments, texts = pa.array([LATE] * 3, UTC_MICROS), pa.array(["pay"] * 3)
    writer.add(pa.RecordBatch.from_arrays([moments, texts, texts], names))
    (file,) = writer.close()
    group = pq.read_metadata(tmp_path / file.path.removeprefix("s3://")).row_group(0)
    encodings = [group.column(i).encodings for i in range(len(names))]
    assert ["RLE_DICTIONARY" in used for used in encodings] == [False, True, False]


def test_a_full_buffer_is_written_out_and_no_row_is_lost(storage, tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "BUFFERED_BYTES", 500)
    writer = DataFileWriter(LAYOUT, storage, "task")
    for _ in range(50):
        writer.add(rows(LATE))
    files = writer.close()
    assert len({file.path for file in files}) == len(files) > 1
    assert sum(pq.read_table(tmp_path / f.path.removeprefix("s3://")).num_rows for f in files) == 50


def test_no_rows_make_no_file(storage):
    assert DataFileWriter(LAYOUT, storage, "task").close() == []


def test_a_storage_that_takes_nothing_is_named(tmp_path):
    nowhere = SubTreeFileSystem(str(tmp_path / "missing"), LocalFileSystem())
    writer = DataFileWriter(LAYOUT, nowhere, "task")
    writer.add(rows(LATE))
    with pytest.raises(ServiceUnavailable, match="did not take s3://bucket/data/timestamp_day=2026-11-23/task-00000"):
        writer.close()
