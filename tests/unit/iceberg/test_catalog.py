"""The catalogue of one table, of handles made by hand."""

import pytest

from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.iceberg.servers import Catalogue, Storage
from dualsink.settings import Secret


@pytest.fixture
def archive() -> Archive:
    none = Secret("none_env", "NONE", lambda: None)
    catalogue = Catalogue("http://127.0.0.1:1/api/v2", "main", "", "", "", none, none, none)
    storage = Storage("http://127.0.0.1:1", "logs", "eu", "", "", "", "", none, none, none)
    names = ("lake.demo.logs", "lake.demo.logs_quarantine", "lake.demo.logs_audit")
    return Archive(*names, "s3://logs/warehouse", catalogue, storage)


def test_nessie_knows_a_table_by_its_name_without_the_catalogues(archive):
    keys = [Nessie.of(archive).key, *(Nessie.of(archive, table).key for table in archive.written)]
    assert keys == ["demo.logs", "demo.logs", "demo.logs_quarantine"]
