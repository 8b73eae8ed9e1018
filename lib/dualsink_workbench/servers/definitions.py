"""Definitions of the local servers, one module each."""

from dualsink.settings import Settings
from dualsink_workbench.servers.kafka import Kafka
from dualsink_workbench.servers.nessie import Nessie
from dualsink_workbench.servers.opensearch import OpenSearch
from dualsink_workbench.servers.s3 import S3
from dualsink_workbench.servers.server import Server
from dualsink_workbench.servers.trino import Trino


def servers(settings: Settings) -> dict[str, Server]:
    """Return the servers by name, in display order."""
    return {kind.name: kind(settings) for kind in (Kafka, OpenSearch, Nessie, S3, Trino)}
