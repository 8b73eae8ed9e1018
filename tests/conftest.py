"""Real servers and one Spark session for the whole test session; a pipeline of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from dualsink.local.servers import LocalServers, export_credentials, free_settings
from dualsink.settings import Settings
from dualsink.spark import spark_session


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    """Kafka, OpenSearch, Nessie and S3 on free ports of loopback."""
    folder = tmp_path_factory.mktemp("servers")
    settings = Settings.from_values({"environment": "test", **free_settings(Settings(), folder)})
    local = LocalServers(settings)
    started = local.up()
    export_credentials(settings)
    yield local
    local.down(started)


@pytest.fixture(scope="session")
def local(servers: LocalServers) -> Settings:
    """Settings of the running servers."""
    return servers.settings


@pytest.fixture(scope="session")
def spark(local: Settings) -> Iterator[SparkSession]:
    """The Spark session of this process."""
    session = spark_session(local, "tests")
    yield session
    session.stop()


@pytest.fixture
def settings(local: Settings, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings with a topic, tables, index and checkpoint of the test's own; hot documents are visible at once."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[:60]
    return local.model_copy(
        update={
            "kafka_topic": name,
            "iceberg_table": f"t_{name}",
            "opensearch_index": f"t-{name.replace('_', '-')}",
            "opensearch_refresh_interval": "1s",
            "checkpoint_dir": str(tmp_path / "checkpoint"),
            "runs_dir": str(tmp_path / "runs"),
        }
    )
