"""Readiness: what setup creates is there.

Each server is asked for it, in a second and without Spark.
"""

from collections.abc import Callable, Sequence
from contextlib import closing

from opensearchpy.exceptions import AuthenticationException, AuthorizationException, ConnectionError

from dualsink.errors import NotSetUp
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.kafka import topic as topics
from dualsink.kafka.brokers import Brokers
from dualsink.opensearch import index, security
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings

Part = Callable[[Settings], list[str]]
"""One part of what setup creates: what of it is missing, in words."""


def topic(settings: Settings) -> list[str]:
    """Check the topic.

    Raises ServiceUnavailable if no broker answers.
    """
    with closing(topics.admin(Brokers.of(settings))) as client:
        found = topics.describe_topic(client, settings.kafka_topic)
    return [] if found else [f"topic {settings.kafka_topic}"]


def tables(settings: Settings) -> list[str]:
    """Check archive and quarantine.

    Raises ServiceUnavailable if the catalogue does not answer.
    """
    archive = Archive.of(settings)
    return [f"table {table}" for table in archive.written if Nessie.of(archive, table).table() is None]


def template(settings: Settings) -> list[str]:
    """Check the index template with the alias.

    Raises ServiceUnavailable if OpenSearch does not answer. A user who may not ask for templates is taken to have one.
    """
    name = settings.opensearch_index
    try:
        with closing(index.connect(Cluster.of(settings), timeout=10)) as client:
            return [] if client.indices.exists_index_template(name=name) else [f"index template {name}"]
    except AuthorizationException:
        return []
    except (AuthenticationException, ConnectionError) as error:
        raise security.explained(Cluster.of(settings), error) from None


EVERYTHING = (topic, tables, template)


def require_setup(settings: Settings, parts: Sequence[Part] = EVERYTHING) -> None:
    """Raise NotSetUp naming what is missing of these parts.

    Raises ServiceUnavailable if a server does not answer.
    """
    missing = [what for part in parts for what in part(settings)]
    if missing:
        raise NotSetUp(*missing)
