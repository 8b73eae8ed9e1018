"""Jobs: the product's commands without a notebook.

Fit for spark-submit: each opens what an operation needs, and runs it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from dualsink import words
from dualsink.errors import ServiceUnavailable
from dualsink.events.reading import Reading
from dualsink.iceberg.archive import Archive
from dualsink.kafka import producer, source
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger, proof, seals
from dualsink.notebook import queries, results
from dualsink.opensearch import index, questions
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import acknowledge as acknowledging
from dualsink.operations import alerts as alerting
from dualsink.operations import archive_retention, audit_log, cleanup, hot_retention, maintenance, rehydration, sealing
from dualsink.operations import audit as auditing
from dualsink.operations import redrive as redriving
from dualsink.operations import repair as repairing
from dualsink.operations import replay as replaying
from dualsink.operations import rescue as rescuing
from dualsink.operations import setup as set_up
from dualsink.operations.plan import Answer, Result, Say, quietly
from dualsink.progress import PROGRESS
from dualsink.settings import Settings
from dualsink.spark import failures
from dualsink.spark import signals as signal_notes
from dualsink.spark.session import spark_session
from dualsink.stream import health, readiness
from dualsink.stream import query as streaming
from dualsink.stream.sink import BatchReport


@contextmanager
def session(settings: Settings, needed: Sequence[readiness.Part] = readiness.EVERYTHING) -> Iterator[SparkSession]:
    """Open a Spark session for one job.

    The job needs parts of what setup creates. Raises SettingsError for formats that are no declarations, NotSetUp
    before Spark starts if a part is missing; PlatformError if a server does not answer or the JVM ends;
    ServiceUnavailable for one that falls silent.
    """
    Reading.of(settings)
    health.require_servers(settings)
    readiness.require_setup(settings, needed)
    spark = None

    def cancel() -> None:
        # Asked once a second, also of a context that has stopped meanwhile, which refuses.
        with suppress(*failures.GONE, Py4JError):
            if spark:
                spark.sparkContext.cancelAllJobs()

    with signal_notes.noted(cancel) as signals:
        PROGRESS.info("Starting Spark")
        spark = spark_session(settings)
        PROGRESS.info("Spark is working")
        try:
            signals.check()
            yield spark
        except Exception as error:
            raise (error if signals.seen else health.Servers.of(settings).explained(error)) from None
        finally:
            _stop(spark)


def _stop(spark: SparkSession) -> None:
    with suppress(*failures.GONE):
        spark.stop()


@contextmanager
def _hot_tier(
    settings: Settings, needed: Sequence[readiness.Part] = (readiness.template,), timeout: float = 30
) -> Iterator[OpenSearch]:
    health.require_servers(settings)
    readiness.require_setup(settings, needed)
    with closing(index.connect(Cluster.of(settings), timeout=timeout)) as client:
        yield client


# -- the stages --------------------------------------------------------------------------------------


def setup(settings: Settings, say: Say = quietly) -> Result:
    """Check the servers and create what is missing.

    Raises PlatformError if a check fails.
    """
    with session(settings, needed=()) as spark:
        return set_up.run(spark, settings, say)


def produce(settings: Settings, say: Say = quietly) -> Result:
    """Send generated events, or a file's, to the topic.

    Raises InputError if the file does not exist.
    """
    origin = source.Source.of(settings)
    origin.check()
    health.require_servers(settings)
    readiness.require_setup(settings, [readiness.topic])
    with closing(source.Watched(origin.records(), settings.hot_days)) as records:
        counts = producer.produce(records, Topic.of(settings), lambda count: PROGRESS.info(f"{count:,} records sent"))
    fact = f"{words.count(counts['records'], 'record')} sent to {settings.kafka_topic}"
    old = f"{_archived_only(records.old, 'to be archived only')} (-p shift_to_now true moves a file's times into it)"
    lines = [str(origin)] + [old] * (records.old > 0)
    return Answer(counts | {"archived_only": records.old}, fact, lines)


@dataclass(frozen=True)
class Streamed(Result):
    """Result of the stream: totals of the query.

    `totals` are those that `stream.query.run` returns.
    """

    totals: dict[str, Any]

    @property
    def fact(self) -> str:
        """Events and batches, and events in the archive alone."""
        events, batches, old = (self.totals[name] for name in ("events", "batches", "archived_only"))
        done = f"{words.count(events, 'event')} in {words.count(batches, 'batch', 'batches')}"
        return done + (f", {_archived_only(old, 'archived only')}" if old else "")

    def lines(self) -> list[str]:
        """Return what no search finds, and why."""
        partly = self.totals["partly_indexed"]
        old = ["`rehydrate` brings days back into OpenSearch."] * (self.totals["archived_only"] > 0)
        long = (
            f"{words.count(partly, 'document')} indexed in part: attributes too long for an index are kept, not found."
        )
        return old + [long] * (partly > 0)

    def as_dict(self) -> dict[str, Any]:
        """Return the totals."""
        return self.totals


def run_stream(settings: Settings, say: Say = quietly) -> Result:
    """Write what the topic holds to both stores.

    Prints a line for each batch as it ends.
    """

    def tell(batch: BatchReport, waiting: int | None) -> None:
        events = words.count(batch.events, "event")
        say(f"batch {batch.batch_id}: {events}, {batch.archived:,} archived, {batch.created:,} indexed")

    with session(settings, [readiness.topic, readiness.tables]) as spark:
        return Streamed(streaming.run(spark, settings, tell))


def _archived_only(count: int, verb: str) -> str:
    return f"{words.count(count, 'event')} {verb}: their days are outside of the hot window"


def query(settings: Settings, say: Say = quietly) -> Result:
    """Ask both stores the first questions."""
    with (
        session(settings, [readiness.tables, readiness.template]) as spark,
        closing(index.connect(Cluster.of(settings))) as client,
    ):
        answers = {
            "errors of the last hour (OpenSearch)": queries.ask(
                client, settings.opensearch_index, questions.errors_of_last_hour()
            ),
            "latest events (archive)": queries.latest(spark, settings.archive_table),
            "errors per service (archive)": queries.errors_per_service(spark, settings.archive_table),
            "partitions (archive)": queries.partitions(spark, settings.archive_table),
        }
    counts = {title: len(answer) for title, answer in answers.items()}
    tables = [f"\n{title}\n{answer.to_string(index=False)}" for title, answer in answers.items()]
    return Answer(counts, f"{words.count(len(answers), 'question')} answered", tables)


@dataclass(frozen=True)
class Validated(Result):
    """The ledger, and what was removed after it held."""

    book: ledger.Ledger
    sealed: list[seals.Seal]
    removed: list[str]

    @property
    def fact(self) -> str:
        """Records in Kafka up to the position, each accounted for."""
        records = words.count(sum(line.kafka for line in self.book.partitions), "record")
        return f"the ledger holds: {records} in Kafka, each accounted for"

    def lines(self) -> list[str]:
        """Return what is normal, what was sealed and removed."""
        days = words.count(len(self.sealed), "day")
        sealed = [f"sealed now: {days}; newest seal {last.hash}" for last in self.sealed[-1:]]
        return [*self.book.lines(), *sealed, *(f"removed {name}" for name in self.removed)]

    def check(self) -> None:
        """Raise LedgerMismatch if the ledger does not hold."""
        self.book.check()

    def as_dict(self) -> dict[str, Any]:
        """Return the ledger as JSON types."""
        return self.book.as_dict()


def validate(settings: Settings, say: Say = quietly, everything: bool = False, chain: bool = False) -> Result:
    """Take the ledger, seal what it proved, clean up.

    With `chain` verify the chain of seals, and nothing else. Clean-up only after one that holds, and if
    `enable_cleanup` asks for it.
    """
    settings = settings.as_keeper() if settings.enable_cleanup else settings
    with session(settings) as spark:
        if chain:
            return sealing.verify(spark, Archive.of(settings))
        book, sealed = sealing.validate(spark, settings, everything)
        clean = settings.enable_cleanup and book.holds
        return Validated(book, sealed, cleanup.remove_all(spark, settings) if clean else [])


# -- repairs -----------------------------------------------------------------------------------------


def redrive(settings: Settings, say: Say = quietly) -> Result:
    """Parse the quarantine again with today's code."""
    with session(settings) as spark:
        return redriving.redrive(spark, settings)


def replay(settings: Settings, say: Say, start: str, end: str) -> Result:
    """Put a range of the topic through both sinks again."""
    replaying.read_range(start, end)
    with session(settings) as spark:
        return replaying.replay(spark, settings, start, end)


def repair(settings: Settings, say: Say = quietly, dry_run: bool = False, delete_unknown: int | None = None) -> Result:
    """Make the hot tier equal to the archive.

    Unknown documents are deleted only if `delete_unknown` is their number.
    """
    settings = settings.as_keeper()
    with session(settings) as spark:
        return repairing.repair(spark, settings, dry_run, delete_unknown)


def rescue(settings: Settings, say: Say = quietly, dry_run: bool = False, who: str = "", why: str = "") -> Result:
    """Archive documents that are their record's only copy."""
    settings = settings.as_keeper()
    with session(settings) as spark:
        return rescuing.rescue(spark, settings, who, why, dry_run)


def rehydrate(settings: Settings, say: Say, start: str, end: str, where: str = "") -> Result:
    """Rehydrate a range of the archive.

    The proof is written to the run's folder as JSON.
    """
    settings = settings.as_keeper()
    wanted = rehydration.Range.read(start, end, where)
    with session(settings) as spark:
        done = rehydration.rehydrate(spark, Archive.of(settings), HotTier.of(settings), wanted)
    say(f"JSON: {results.record(settings.run_path, 'rehydrate', done.as_dict(), done.fact)}")
    return done


def acknowledge(settings: Settings, say: Say, count: int, reason: str, who: str = "", dry_run: bool = False) -> Result:
    """Acknowledge lost records, if `count` is their number.

    `who` defaults to user@machine.
    """
    who = who or audit_log.whoever()
    with session(settings) as spark:
        return acknowledging.run(spark, settings, count, reason, who, dry_run)


# -- ageing ------------------------------------------------------------------------------------------


def retention(settings: Settings, say: Say = quietly, dry_run: bool = False) -> Result:
    """Age the hot tier by one policy.

    Spark starts only if a day has expired and needs its proof.
    """
    settings = settings.as_keeper()

    def prove(days: Mapping[date, str]) -> Mapping[date, proof.DayProof]:
        with session(settings, [readiness.tables]) as spark:
            return proof.of_days(spark, Cluster.of(settings), Archive.of(settings), days)

    # It installs policy and template itself.
    with _hot_tier(settings, needed=(), timeout=3600) as client:
        return hot_retention.run(client, HotTier.of(settings), prove, dry_run)


def maintain(settings: Settings, say: Say = quietly, dry_run: bool = False) -> Result:
    """Compact, rewrite manifests, expire snapshots, remove orphans.

    Files in no snapshot are removed only with `remove_orphans`.
    """
    settings = settings.as_keeper()
    with session(settings, [readiness.tables]) as spark:
        return maintenance.run(spark, maintenance.Upkeep.of(settings), dry_run, say)


def retire(settings: Settings, say: Say = quietly, dry_run: bool = False, who: str = "", why: str = "") -> Result:
    """Delete expired days that no legal hold keeps.

    `who` defaults to user@machine.
    """
    settings = settings.as_keeper()
    with session(settings, [readiness.tables]) as spark:
        terms = archive_retention.Terms.of(settings)
        return archive_retention.run(spark, terms, who or audit_log.whoever(), why, dry_run, say)


# -- looking -----------------------------------------------------------------------------------------


def cost(settings: Settings, say: Say = quietly, picture: Path | None = None) -> Result:
    """Compute what a year of events costs by tier.

    The picture goes to the run's folder or to a file.
    """
    from dualsink.notebook import plots
    from dualsink.operations import cost as costs

    health.require_servers(settings)
    readiness.require_setup(settings, [readiness.tables, readiness.template])
    measured = costs.measure(Archive.of(settings), HotTier.of(settings))
    given = costs.Assumptions.of(settings)
    measured.check()
    target = picture or settings.run_path / "cost.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    plots.cost(costs.tiers(measured, given), costs.bills(measured, given), given).savefig(target)
    hot = words.count(measured.hot_events, "event")
    fact = f"measured on {hot} in OpenSearch and {measured.archive_events:,} in the archive; picture: {target}"
    return Answer(asdict(measured), fact, [costs.table(measured, given).to_string(index=False)])


def audit(settings: Settings, say: Say = quietly) -> Result:
    """Audit the archive as of `audit_at`.

    The result is written to the run's folder as JSON.
    """
    auditing.moment_of(settings.audit_at, datetime.now(UTC))
    with session(settings, [readiness.tables]) as spark:
        found = auditing.take(spark, Archive.of(settings), settings.audit_at)
    say(f"JSON: {results.record(settings.run_path, results.AUDIT_STAGE, found.as_dict(), found.fact)}")
    return found


def alerts(settings: Settings, say: Say = quietly, rules: Path | None = None) -> Result:
    """Evaluate the rules once and send what is new.

    `rules` is their file, by default the one of this package. Raises ServiceUnavailable if a webhook fails.
    """
    wanted = alerting.read_rules(rules or alerting.DEFAULT_RULES)
    with _hot_tier(settings) as client:
        return alerting.run_once(client, settings.opensearch_index, alerting.Memory.of(settings), wanted, say)


def watch(settings: Settings, say: Say, rules: Path | None, every: float) -> None:
    """Evaluate the rules periodically until a signal.

    `rules` is their file. While a store is away, the next turn tries again.
    """
    wanted = alerting.read_rules(rules or alerting.DEFAULT_RULES)
    with _hot_tier(settings) as client:
        while True:
            try:
                alerting.run_once(client, settings.opensearch_index, alerting.Memory.of(settings), wanted, say)
            except (ServiceUnavailable, OpenSearchException) as error:
                say(f"{type(error).__name__}: {error}")
            time.sleep(every)


# -- printing ----------------------------------------------------------------------------------------


def dashboards(settings: Settings, say: Callable[[str], None]) -> None:
    """Print the saved objects for OpenSearch Dashboards."""
    from dualsink.notebook import dashboards as saved

    say(saved.ndjson(settings.opensearch_index).rstrip("\n"))


def jars(settings: Settings, say: Callable[[str], None]) -> None:
    """Print the jars that spark-submit needs.

    They are fetched on first use.
    """
    from dualsink.spark.jars import spark_jars

    say(",".join(str(jar) for jar in spark_jars(PROGRESS.info)))
