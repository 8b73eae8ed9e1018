"""Health of the servers, and the cause of a failure."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import requests
from botocore.config import Config
from opensearchpy import OpenSearch
from opensearchpy.exceptions import (
    AuthenticationException,
    AuthorizationException,
    ConnectionError,
    OpenSearchException,
)

from dualsink import local_servers, words
from dualsink.errors import DeploymentError, DualsinkError, PlatformError, ServiceUnavailable
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.iceberg.security import storage_failure
from dualsink.iceberg.servers import Storage
from dualsink.iceberg.storage import answering, client
from dualsink.kafka import topic
from dualsink.kafka.brokers import Brokers
from dualsink.opensearch import index, ism, security
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings
from dualsink.spark import failures


@dataclass(frozen=True)
class Check:
    """One thing that was tried, and what came of it.

    `refused` says that the server answers, and does not let us in.
    """

    name: str
    ok: bool
    detail: str
    refused: bool = False

    def __str__(self) -> str:
        return f"[{'OK' if self.ok else 'FAIL'}] {self.name}: {self.detail}"


@dataclass(frozen=True)
class Servers:
    """Servers of a pipeline: Kafka, OpenSearch, Nessie and S3.

    The `checkpoint` is the bucket of a stored one, empty without.
    """

    brokers: Brokers
    cluster: Cluster
    archive: Archive
    checkpoint: str

    @classmethod
    def of(cls, settings: Settings) -> "Servers":
        """Return the servers of the settings."""
        bucket = urlsplit(settings.checkpoint_url).netloc
        return cls(Brokers.of(settings), Cluster.of(settings), Archive.of(settings), bucket)

    def check(self) -> list[Check]:
        """Check all side by side.

        Never raises for a server that does not answer.
        """
        storage = self.archive.storage
        attempts = {
            "Kafka": partial(_kafka, self.brokers),
            "OpenSearch": partial(_opensearch, self.cluster),
            "Nessie": partial(_nessie, Nessie.of(self.archive)),
            "S3": partial(_s3, storage, [storage.bucket, self.checkpoint or storage.bucket]),
        }
        with ThreadPoolExecutor(len(attempts)) as pool:
            return list(pool.map(_try, attempts, attempts.values()))

    def explained(self, error: Exception) -> Exception:
        """Return the error of this package for `error`, if known.

        Else `error` itself. Servers are asked only if nothing else explains it: one that does not answer is then named.
        """
        if known := failures.explained(error):
            return known
        if isinstance(error, AuthenticationException | AuthorizationException):
            return security.explained(self.cluster, error)
        silent = [check for check in self.check() if not check.ok]
        return ServiceUnavailable(f"{_no_answer(silent)} {failures.NEXT}") if silent else error


def require_servers(settings: Settings) -> None:
    """Raise PlatformError naming each server that does not answer.

    With what to do about local ones, by whether their processes live. Raises DeploymentError for one that answers and
    lets nobody in.
    """
    failed = [check for check in Servers.of(settings).check() if not check.ok]
    if refused := [check.detail for check in failed if check.refused]:
        raise DeploymentError(f"{'; '.join(refused)}.")
    if failed:
        local = [check.name.lower() for check in failed] if settings.servers == "local" else []
        advice = local_servers.advice(settings.servers_file, settings.logs_path, local)
        raise PlatformError(f"{_no_answer(failed)} {advice}".rstrip())


def _no_answer(failed: Iterable[Check]) -> str:
    return f"No answer from {'; '.join(f'{check.name} ({check.detail})' for check in failed)}."


def _try(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, True, attempt())
    except DeploymentError as error:
        return Check(name, False, str(error), refused=True)
    except DualsinkError as error:
        return Check(name, False, str(error))
    except (OpenSearchException, requests.RequestException) as error:
        return Check(name, False, f"{type(error).__name__}: {error}")


def _kafka(brokers: Brokers) -> str:
    with closing(topic.admin(brokers)) as client:
        live = client.describe_cluster()["brokers"]
    return f"{words.count(len(live), 'broker')} at {brokers.address}"


def _opensearch(cluster: Cluster) -> str:
    with closing(index.connect(cluster, timeout=10)) as client, _admitted(cluster):
        version, health = client.info()["version"], client.cluster.health()
        policies = _policies(client)
    return f"{version['number']}, {health['status']}, {policies}, at {cluster.url}"


def _policies(client: OpenSearch) -> str:
    try:
        return "with ISM" if ism.is_there(client) else "without ISM: this suite's own retention step does its work"
    except AuthorizationException:
        return "its plugins hidden from this user"  # only setup and retention need to know them


@contextmanager
def _admitted(cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except (AuthenticationException, AuthorizationException, ConnectionError) as error:
        raise security.explained(cluster, error) from None


def _nessie(nessie: Nessie) -> str:
    config = nessie.config()
    return f"spec {config.get('specVersion')}, branch {nessie.ref}, at {nessie.catalogue.uri}"


def _s3(storage: Storage, buckets: Iterable[str]) -> str:
    config = Config(connect_timeout=10, retries={"max_attempts": 2}, s3={"addressing_style": "path"})
    names = list(dict.fromkeys(buckets))
    try:
        for name in names:
            with answering(f"bucket {name}"):
                client(storage, config).head_bucket(Bucket=name)
    except DualsinkError as error:
        raise storage_failure(storage) or error from None
    return f"bucket {', '.join(names)} at {storage.endpoint}"
