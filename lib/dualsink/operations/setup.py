"""Set-up: checks of the servers, and all the stream needs."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from dualsink import words
from dualsink.errors import PlatformError
from dualsink.iceberg import encryption, lifecycle, object_lock, policy, reader, tables
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.iceberg.storage import Bucket
from dualsink.kafka.topic import Topic, ensure_topic
from dualsink.opensearch import alias, index, ism
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import plan as plan_of
from dualsink.settings import Settings
from dualsink.stream.health import Check, Servers


def check_services(spark: SparkSession, servers: Servers) -> list[Check]:
    """Check Spark, Kafka, OpenSearch, Nessie and S3.

    Never raises for a server that does not answer.
    """
    java = spark.sparkContext._jvm.System.getProperty("java.version")
    return [Check("Spark", True, f"{spark.version}, Java {java}"), *servers.check()]


def create_all(spark: SparkSession, settings: Settings) -> dict[str, str]:
    """Create what is missing and return each object's state.

    Topic, namespace, tables, index template with alias, retention policy.

    Where the parameters ask for them, also the bucket's Object Lock (tried) and its lifecycle rule.

    Returns `created`, `updated` or `exists` by name. Raises ShapeMismatch with the difference where something exists
    in another shape; nothing is dropped.
    """
    archive, topic = Archive.of(settings), Topic.of(settings)
    done = {f"topic {topic.name}": ensure_topic(topic)}
    done |= {f"table {name}": state for name, state in tables.create_tables(spark, archive).items()}
    policy.record(spark, archive, policy.of(settings))
    hot = HotTier.of(settings)
    with closing(index.connect(Cluster.of(settings))) as client:
        state = index.ensure_template(client, hot)
        changed = alias.mend(client, hot)
        done[f"index template and alias {hot.alias}"] = "updated" if changed else state
        done["retention policy"] = ism.ensure_policy(client, hot)
    return done | _bucket_rules(settings)


def _bucket_rules(settings: Settings) -> dict[str, str]:
    """Apply the parameters of the archive's bucket.

    Object Lock, a tier for old files.
    """
    done, bucket = {}, Bucket.of(settings)
    if settings.object_lock_mode:
        mode, days = settings.object_lock_mode, settings.object_lock_days
        done[f"Object Lock of bucket {bucket.name} ({mode}, {days} days)"] = object_lock.ensure_lock(bucket, mode, days)
    if settings.s3_sse:
        kind = settings.s3_sse
        done[f"encryption of bucket {bucket.name} ({kind})"] = encryption.ensure(bucket, kind, settings.s3_kms_key)
    if settings.tier_storage_class:
        archive = Archive.of(settings)
        place = reader.data_folder(reader.open_archive(archive))
        tier = lifecycle.Tier(Nessie.of(archive).key, place, settings.tier_storage_class, settings.tier_after_days)
        name = f"tier of the archive's files ({tier.storage_class} after {tier.days} days)"
        done[name] = lifecycle.ensure_tier(bucket, tier)
    return done


@dataclass(frozen=True)
class SetUp(plan_of.Result):
    """Result of set-up: checks, and each object's state.

    `created`, `updated` or `exists`.
    """

    checks: list[Check]
    objects: dict[str, str]

    @property
    def fact(self) -> str:
        """Number of new objects."""
        new, all_of_them = Counter(self.objects.values()), len(self.objects)
        if new["exists"] == all_of_them:
            return f"all {all_of_them} objects exist already"
        updated = f", {new['updated']} updated" if new["updated"] else ""
        rest = f", {new['exists']} exist already" if new["exists"] else ""
        return f"{words.count(new['created'], 'object')} created{updated}{rest}"

    def lines(self) -> list[str]:
        """Return checks, then objects."""
        return [*map(str, self.checks), *(f"{name}: {state}" for name, state in self.objects.items())]

    def as_dict(self) -> dict[str, Any]:
        """Return checks and objects by name."""
        return {"checks": {check.name: check.detail for check in self.checks}, "objects": self.objects}


def run(spark: SparkSession, settings: Settings, say: plan_of.Say = plan_of.quietly) -> SetUp:
    """Check the servers, then create what is missing.

    Raises PlatformError naming the checks that fail.
    """
    checks = check_services(spark, Servers.of(settings))
    for check in checks:
        say(str(check))
    if failed := [check.name for check in checks if not check.ok]:
        raise PlatformError(f"Not set up, because of {', '.join(failed)}.")
    return SetUp(checks, create_all(spark, settings))
