"""What each identity reaches with commands on secured servers, told as JSON.

`python tests/support/errands.py PARAMS.json`; all identities share one JVM. The pipeline has run, and loses two events
on the way: of one a document is left, of the other nothing. The catalogue's token comes from an issuer at the end.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import SimpleNamespace

from dualsink.cli import jobs
from dualsink.errors import DualsinkError
from dualsink.iceberg import reader
from dualsink.iceberg.archive import Archive
from dualsink.kafka.topic import Topic
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings
from dualsink.spark.session import spark_session
from dualsink_workbench import kafka_retention
from dualsink_workbench.servers import credentials

LOST = {"reader": 2, "stream": 1}
"""Lost records that each finds: the stream has rescued one before."""


class Enough(DualsinkError):
    """What ends a watch here, after its first round."""


def main(params: str) -> None:
    settings = Settings.load([params])
    jobs.time = SimpleNamespace(sleep=enough)
    found = {"reader": told(settings, "reader", "validate")}
    lose_two(settings)
    found["reader"] |= told(settings, "reader", "acknowledge", "rescue", "watch", "dashboards")
    found["stream"] = told(settings, "stream", "rescue", "acknowledge", "validate", "watch", "dashboards")
    found["oauth"] = {"count": str(archived_by_oauth(settings))}
    print(json.dumps(found))


def told(settings: Settings, who: str, *commands: str) -> dict[str, str]:
    """What came of each command: its fact, or why it ended."""
    with acting(settings, who):
        return {command: outcome(settings, who, command) for command in commands}


def outcome(settings: Settings, who: str, command: str) -> str:
    said: list[str] = []
    errands: dict[str, Callable] = {
        "validate": lambda: jobs.validate(settings),
        "acknowledge": lambda: jobs.acknowledge(settings, said.append, LOST[who], "a test"),
        "rescue": lambda: jobs.rescue(settings),
        "watch": lambda: jobs.watch(settings, said.append, None, 1),
        "dashboards": lambda: jobs.dashboards(settings, said.append),
    }
    try:
        if result := errands[command]():
            result.check()
            return result.fact
    except DualsinkError as error:
        return str(error)
    return said[0]


def enough(seconds: float) -> None:
    raise Enough("watched")


@contextmanager
def acting(settings: Settings, who: str) -> Iterator[None]:
    """Be one identity at Kafka, OpenSearch and Nessie: its own variables come before the file."""
    users = {server: credentials.users(settings, server)[who] for server in ("kafka", "opensearch", "nessie")}
    wanted = {"nessie_token_env": users["nessie"]}
    for leg in ("kafka", "opensearch", *(("opensearch_keeper",) if who == "reader" else ())):
        wanted |= {f"{leg}_user_env": who, f"{leg}_password_env": users[leg.partition("_")[0]]}
    variables = {getattr(settings, name): value for name, value in wanted.items()}
    os.environ |= variables
    yield
    for name in variables:
        del os.environ[name]


def lose_two(settings: Settings) -> None:
    """Kafka forgets everything, the archive two events, and OpenSearch one of them."""
    keeper = settings.as_keeper()
    spark = spark_session(keeper)
    archived = spark.table(settings.archive_table).where("partition = 0").orderBy("offset")
    gone = [row.offset for row in archived.limit(2).collect()]
    where = f"topic = '{settings.kafka_topic}' AND partition = 0 AND offset IN ({gone[0]}, {gone[1]})"
    spark.sql(f"DELETE FROM {settings.archive_table} WHERE {where}")
    spark.stop()
    with closing(index.connect(Cluster.of(keeper))) as client:
        index.refresh(client, settings.opensearch_index)
        one = {"bool": {"filter": [{"term": {"partition": 0}}, {"term": {"offset": gone[0]}}]}}
        client.delete_by_query(index=settings.opensearch_index, body={"query": one})
    kafka_retention.apply(Topic.of(settings))


def archived_by_oauth(settings: Settings) -> int:
    """Count the archive's rows for PyIceberg, and for Spark, with tokens that each asks the issuer for."""
    credentials.export(settings)
    del os.environ[settings.nessie_token_env]
    external = settings.model_copy(update={"servers": "external"})
    by_python = reader.open_archive(Archive.of(external)).scan().count()
    spark = spark_session(external)
    counts = {by_python, spark.table(external.archive_table).count()}
    spark.stop()
    (rows,) = counts
    return rows


if __name__ == "__main__":
    main(sys.argv[1])
