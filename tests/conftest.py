"""Real servers and one Spark session for the whole test session; a pipeline of its own for every test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from dualsink import invocation
from dualsink.settings import Settings
from dualsink.spark.session import spark_session
from dualsink_workbench.servers import credentials
from dualsink_workbench.servers.stack import LocalServers, free_settings

# A JVM of the tests lives for minutes: its thorough compiler would cost more than it gives back, and so would the
# compiler of Spark's plans for a dozen rows. With the quick compiler alone Java reserves 48 MB for compiled code, which
# Spark fills in minutes, and then goes on sweeping it. The main job runs with everything as users have it.
os.environ.setdefault(
    "SPARK_SUBMIT_OPTS",
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m "
    "-Dspark.sql.codegen.wholeStage=false -Dspark.sql.codegen.factoryMode=NO_CODEGEN",
)


@pytest.fixture(autouse=True)
def choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds the environment that another one chose in its messages."""
    monkeypatch.setattr(invocation, "_chosen", "")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    """Kafka, OpenSearch, Nessie and S3 on free ports of loopback."""
    folder = tmp_path_factory.mktemp("servers")
    settings = Settings.from_values({"environment": "test", **free_settings(Settings(), folder)})
    local = LocalServers(settings)
    started = local.up()
    credentials.export(settings)
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
