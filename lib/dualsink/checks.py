"""Setting up: is every server there and of a known version, and does everything exist that the stream needs?"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from botocore.config import Config
from opensearchpy.exceptions import OpenSearchException
from pyspark.sql import SparkSession

from dualsink import immutability, ism, kafka, lake, policy, s3, search, tables, tiering
from dualsink.errors import DualsinkError
from dualsink.settings import Settings


@dataclass(frozen=True)
class Check:
    """One thing that was tried, and what came of it."""

    name: str
    ok: bool
    detail: str

    def __str__(self) -> str:
        return f"[{'OK' if self.ok else 'FAIL'}] {self.name}: {self.detail}"


def check_services(spark: SparkSession, settings: Settings) -> list[Check]:
    """Try Spark, Kafka, OpenSearch, Nessie and S3; never raises for a server that does not answer."""
    java = spark.sparkContext._jvm.System.getProperty("java.version")
    return [Check("Spark", True, f"{spark.version}, Java {java}"), *check_servers(settings)]


def check_servers(settings: Settings) -> list[Check]:
    """Try Kafka, OpenSearch, Nessie and S3, side by side; likewise."""
    attempts = {"Kafka": _kafka, "OpenSearch": _opensearch, "Nessie": _nessie, "S3": _s3}
    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(lambda name: _try(name, lambda: attempts[name](settings)), attempts))


def create_all(spark: SparkSession, settings: Settings) -> dict[str, str]:
    """Create what is missing: topic, namespace, tables, index template with alias, retention policy.

    Where the parameters ask for them, also the bucket's Object Lock (tried) and its lifecycle rule.

    Returns `created`, `updated` or `exists` by name. Raises ShapeMismatch with the difference where something exists
    in another shape; nothing is dropped.
    """
    done = {f"topic {settings.kafka_topic}": kafka.ensure_topic(settings)}
    done |= {f"table {name}": state for name, state in tables.create_tables(spark, settings).items()}
    policy.record(spark, settings)
    with closing(search.connect(settings)) as client:
        done[f"index template and alias {settings.opensearch_index}"] = search.ensure_template(client, settings)
        done["retention policy"] = ism.ensure_policy(client, settings)
    return done | _bucket_rules(settings)


def _bucket_rules(settings: Settings) -> dict[str, str]:
    """What the parameters ask of the archive's bucket: Object Lock, a tier for old files."""
    done = {}
    if settings.object_lock_mode:
        lock = f"{settings.object_lock_mode}, {settings.object_lock_days} days"
        done[f"Object Lock of bucket {settings.s3_bucket} ({lock})"] = immutability.ensure_lock(settings)
    if settings.tier_storage_class:
        tier = f"{settings.tier_storage_class} after {settings.tier_after_days} days"
        done[f"tier of the archive's files ({tier})"] = tiering.ensure_tier(settings, lake.data_folder(settings))
    return done


def _try(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, True, attempt())
    except (DualsinkError, OpenSearchException, requests.RequestException) as error:
        return Check(name, False, f"{type(error).__name__}: {error}")


def _kafka(settings: Settings) -> str:
    with closing(kafka.admin(settings)) as client:
        brokers = client.describe_cluster()["brokers"]
    return f"{len(brokers)} broker(s) at {settings.kafka_bootstrap_servers}"


def _opensearch(settings: Settings) -> str:
    with closing(search.connect(settings, timeout=10)) as client:
        version, health = client.info()["version"], client.cluster.health()
        policies = "with ISM" if ism.is_there(client) else "without ISM: this suite's own retention step does its work"
    return f"{version['number']}, {health['status']}, {policies}, at {settings.opensearch_url}"


def _nessie(settings: Settings) -> str:
    answer = requests.get(f"{settings.nessie_uri}/config", timeout=10)
    answer.raise_for_status()
    config = answer.json()
    return f"spec {config.get('specVersion')}, branch {settings.nessie_ref}, at {settings.nessie_uri}"


def _s3(settings: Settings) -> str:
    config = Config(connect_timeout=10, retries={"max_attempts": 2}, s3={"addressing_style": "path"})
    buckets = dict.fromkeys([settings.s3_bucket, urlsplit(settings.checkpoint_url).netloc or settings.s3_bucket])
    for bucket in buckets:
        with s3.answering(f"bucket {bucket}"):
            s3.client(settings, config).head_bucket(Bucket=bucket)
    return f"bucket {', '.join(buckets)} at {settings.s3_endpoint}"
