"""The stages and the repairs without a notebook, fit for spark-submit; each returns a result and one line of fact."""

import getpass
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from opensearchpy.exceptions import OpenSearchException
from pyspark.sql import SparkSession

from dualsink import alerts as alerting
from dualsink import audit as auditing
from dualsink import (
    checks,
    cleanup,
    failures,
    interrupts,
    ism,
    kafka,
    ledger,
    maintenance,
    proof,
    queries,
    questions,
    recovery,
    rehydration,
    results,
    retirement,
    search,
    source,
    stream,
)
from dualsink import retention as expiry
from dualsink.batch import BatchReport
from dualsink.errors import MaintenanceRefused, PlatformError, ServiceUnavailable
from dualsink.local.servers import LocalServers, export_credentials
from dualsink.settings import Settings
from dualsink.spark import spark_session

Say = Callable[[str], None]
Outcome = tuple[dict[str, Any], str]


@contextmanager
def session(settings: Settings) -> Iterator[SparkSession]:
    """A Spark session for one job, and the local servers' keys where they are needed.

    Raises PlatformError where a local server does not run, or the JVM ends; ServiceUnavailable for a silent server.
    """
    require_servers(settings)
    spark = None

    def cancel() -> None:
        if spark:
            spark.sparkContext.cancelAllJobs()

    with interrupts.noted(cancel) as signals:
        spark = spark_session(settings)
        try:
            signals.obey()
            yield spark
        except Exception as error:
            raise (error if signals.seen else failures.explained(error, settings)) from None
        finally:
            _stop(spark)


def _stop(spark: SparkSession) -> None:
    with suppress(*failures.GONE):
        spark.stop()


def require_servers(settings: Settings) -> None:
    """Raise PlatformError naming the local servers that do not run; export their keys where all do."""
    if settings.servers == "external":
        return
    missing = [server.name for server in LocalServers(settings).status() if not (server.running or server.optional)]
    if missing:
        raise PlatformError(
            f"The local servers of environment {settings.environment} do not run: {', '.join(missing)}. "
            f"Start them: ./run_all.sh up --env {settings.environment}"
        )
    export_credentials(settings)


def setup(settings: Settings, say: Say) -> Outcome:
    """Check the servers and create what is missing. Raises PlatformError where a check fails."""
    with session(settings) as spark:
        found = checks.check_services(spark, settings)
        for check in found:
            say(str(check))
        failed = [check.name for check in found if not check.ok]
        if failed:
            raise PlatformError(f"Not set up, because of {', '.join(failed)}.")
        done = checks.create_all(spark, settings)
    for name, state in done.items():
        say(f"{name}: {state}")
    return done, f"{sum(state == 'created' for state in done.values())} of {len(done)} objects created"


def produce(settings: Settings, say: Say) -> Outcome:
    """Send generated events, or those of a file, to the topic."""
    require_servers(settings)
    counts = kafka.produce(source.records(settings), settings, lambda count: say(f"{count:,} records sent"))
    return counts, f"{counts['records']:,} records sent to {settings.kafka_topic}"


def run_stream(settings: Settings, say: Say) -> Outcome:
    """Write what the topic holds to both stores."""

    def tell(batch: BatchReport, waiting: int | None) -> None:
        say(f"batch {batch.batch_id}: {batch.events:,} events, {batch.archived:,} archived, {batch.created:,} indexed")

    with session(settings) as spark:
        totals = stream.run(spark, settings, tell)
    return totals, f"{totals['events']:,} events in {totals['batches']} batches"


def query(settings: Settings, say: Say) -> Outcome:
    """Ask both stores the first questions and show the answers."""
    with session(settings) as spark, closing(search.connect(settings)) as client:
        answers = {
            "errors of the last hour (OpenSearch)": queries.ask(client, settings, questions.errors_of_last_hour()),
            "latest events (archive)": queries.latest(spark, settings),
            "errors per service (archive)": queries.errors_per_service(spark, settings),
            "partitions (archive)": queries.partitions(spark, settings),
        }
    for title, answer in answers.items():
        say(f"\n{title}\n{answer.to_string(index=False)}")
    return {title: len(answer) for title, answer in answers.items()}, f"{len(answers)} questions answered"


def validate(settings: Settings, say: Say) -> Outcome:
    """Take the ledger, then clean up where `enable_cleanup` asks for it. Raises LedgerMismatch."""
    with session(settings) as spark:
        found = ledger.take(spark, settings)
        found.check()
        removed = cleanup.remove_all(spark, settings) if settings.enable_cleanup else []
    for name in removed:
        say(f"removed {name}")
    events = sum(line.kafka for line in found.partitions)
    return found.as_dict(), f"the ledger holds: {events:,} records in Kafka, each accounted for"


def redrive(settings: Settings, say: Say) -> Outcome:
    """Parse the quarantine again with today's code."""
    with session(settings) as spark:
        result = recovery.redrive(spark, settings)
    return result, f"{result['resolved']:,} of {result['waiting']:,} quarantined records resolved"


def replay(settings: Settings, say: Say, start: str, end: str) -> Outcome:
    """Put a range of the topic through both sinks again."""
    with session(settings) as spark:
        result = recovery.replay(spark, settings, start, end)
    stores = {"archive_repaired": "the archive", "quarantine_repaired": "the quarantine", "hot_repaired": "OpenSearch"}
    added = [f"{result[name]:,} added to {store}" for name, store in stores.items() if result[name]]
    return result, f"{result['events']:,} records replayed: {', '.join(added) or 'nothing was missing'}"


def repair(settings: Settings, say: Say) -> Outcome:
    """Make the hot tier equal to the archive."""
    with session(settings) as spark:
        result = recovery.repair(spark, settings)
    refused = f", {result['refused']:,} refused by OpenSearch" if result["refused"] else ""
    return result, f"{result['written']:,} documents written, {result['deleted']:,} deleted{refused}"


def rehydrate(settings: Settings, say: Say, start: str, end: str, where: str = "") -> Outcome:
    """Put a range of the archive back into OpenSearch for a while. Raises LedgerMismatch where the proof fails."""
    wanted = rehydration.Range.read(start, end, where)
    with session(settings) as spark:
        done = rehydration.rehydrate(spark, settings, wanted)
    for line in _rehydration_told(done):
        say(line)
    result, fact = done.as_dict(), _fact(done)
    say(f"JSON: {results.record(settings, 'rehydrate', result, fact)}")
    done.proof.check()
    return result, fact


def _rehydration_told(done: rehydration.Rehydration) -> Iterator[str]:
    for day in done.skipped:
        yield f"{day.day}: {day.events:,} events left out: {day.reason}"
    for line in done.proof.days:
        refused = f" ({line.hot_refusals:,} refused)" if line.hot_refusals else ""
        verdict = "equal" if line.holds else "NOT EQUAL"
        yield f"{line.day}: archive {line.archive:,}{refused}, rehydrated {line.opensearch:,}, digests {verdict}"
    cpu = ", ".join(f"{cost:g} µs {name}" for name, cost in done.cpu_per_event.items())
    yield f"{done.rate:,.0f} events/s; CPU of an event: {cpu}" if cpu else "nothing to send"


def _fact(done: rehydration.Rehydration) -> str:
    until = f", searchable until {done.expires:%Y-%m-%d %H:%M} UTC" if done.expires else ""
    verdict = "all proven equal to the archive" if done.proof.holds else "NOT equal to the archive"
    return f"{done.created:,} documents back, {done.existing:,} were there; {verdict}{until}"


def retention(settings: Settings, say: Say, dry_run: bool = False) -> Outcome:
    """Age the hot tier by one policy: what ISM does where there is one, shards, merging, deleting what is proven.

    A dry run says the same lines and changes nothing, neither policy nor template.
    """
    require_servers(settings)

    def prove(days: Mapping[date, str]) -> Mapping[date, proof.DayProof]:
        with session(settings) as spark:
            return proof.of_days(spark, settings, days)

    with closing(search.connect(settings, timeout=3600)) as client:
        managed = ism.is_there(client)
        if not dry_run:
            say(f"policy: {ism.ensure_policy(client, settings)}")
            say(f"template: {search.put_template(client, settings)}")
        steps = expiry.plan(client, settings, prove)
        if not dry_run:
            steps = expiry.carry_out(client, settings, steps, merges=not (managed and settings.hot_read_only))
        states = ism.explain(client, settings) if managed else []
    return _told(say, steps, states, dry_run)


def _told(say: Say, steps: list[expiry.Step], states: list[dict[str, Any]], dry_run: bool) -> Outcome:
    for state in states:
        say("ISM    {index}: {state}, policy {policy_id}. {message}".format(**state))
    for step in steps:
        say(str(step))
    counts = {action: sum(step.action == action for step in steps) for action in ("delete", "merge", "keep")}
    result = {"dry_run": dry_run, "days": [step.as_dict() for step in steps], "ism": states}
    fact = f"{counts['delete']} days deleted, {counts['merge']} merged, {counts['keep']} kept"
    return result, f"nothing was changed; it would be {fact}" if dry_run else fact


def maintain(settings: Settings, say: Say, dry_run: bool = False) -> Outcome:
    """Compact, rewrite manifests, expire snapshots, and with `remove_orphans` remove files in no snapshot.

    A dry run says the same lines and changes nothing. Raises MaintenanceRefused, with the rest done, where files may
    not be deleted.
    """
    with session(settings) as spark:
        before = maintenance.measure(spark, settings)
        steps = maintenance.plan(spark, settings)
        done = []
        for step in steps if dry_run else maintenance.carry_out(spark, settings, steps):
            say(str(step))
            done.append(step)
        after = before if dry_run else maintenance.measure(spark, settings)
    _say_figures(say, before, after, dry_run)
    if not dry_run and (refusal := maintenance.refusal_of(settings)):
        raise MaintenanceRefused(f"No snapshot expired and no file was removed: {refusal}.")
    result = {"dry_run": dry_run, "before": before.as_dict(), "after": after.as_dict()}
    counts = Counter(step.action for step in done)
    fact = f"{counts['compact']} days compacted, {counts['expire']} histories shortened, {counts['keep']} kept"
    fact = f"nothing was changed; it would be {fact}" if dry_run else fact
    return result | {"steps": [step.as_dict() for step in done]}, fact


def _say_figures(say: Say, before: maintenance.Measured, after: maintenance.Measured, dry_run: bool) -> None:
    moments = {"now": before} if dry_run else {"before": before, "after": after}
    for moment, measured in moments.items():
        for table, found in measured.tables.items():
            say(f"{moment:9} {table.rpartition('.')[2]}: {found}")
        say(f"{moment:9} a question to closed days takes {measured.query_seconds} s")


def cost(settings: Settings, say: Say, picture: Path | None = None) -> Outcome:
    """Tell what a year of events costs in each tier; the picture goes to the run's folder or to a file."""
    from dualsink import cost as costs
    from dualsink import plots

    require_servers(settings)
    measured = costs.measure(settings)
    measured.check()
    say(costs.table(measured, settings).to_string(index=False))
    target = picture or settings.run_path / "cost.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    plots.cost(costs.tiers(measured, settings), costs.bills(measured, settings), settings).savefig(target)
    fact = f"measured on {measured.hot_events:,} events in OpenSearch and {measured.archive_events:,} in the archive"
    return asdict(measured), f"{fact}; picture: {target}"


def retire(settings: Settings, say: Say, dry_run: bool = False, who: str = "", why: str = "") -> Outcome:
    """Delete days of the archive and the quarantine that are past their years and held by nothing.

    A dry run says the same lines and changes nothing. `who` is by default the user and the machine.
    """
    with session(settings) as spark:
        steps, done = retirement.plan(spark, settings), []
        by = who or f"{getpass.getuser()}@{socket.gethostname()}"
        for step in steps if dry_run else retirement.carry_out(spark, settings, steps, by, why):
            say(str(step))
            done.append(step)
    deleted = [step for step in done if step.action == "delete"]
    fact = f"{len(deleted)} days deleted, {sum(step.rows for step in deleted):,} rows"
    result = {"dry_run": dry_run, "who": by, "days": [step.as_dict() for step in done]}
    return result, f"nothing was changed; it would be {fact}" if dry_run else fact


def audit(settings: Settings, say: Say, at: str) -> Outcome:
    """Say what the archive held at a time, and write it as JSON into the run's folder."""
    settings = Settings.from_values(settings.parameters() | {"audit_at": at})
    with session(settings) as spark:
        found = auditing.take(spark, settings)
    say(str(found))
    say(f"JSON: {results.record(settings, results.AUDIT_STAGE, found.as_dict(), found.fact)}")
    return found.as_dict(), found.fact


def alerts(settings: Settings, say: Say, rules: Path) -> Outcome:
    """Evaluate the rules of a file once and tell what is new. Raises ServiceUnavailable where a webhook fails."""
    wanted = alerting.read_rules(rules)
    require_servers(settings)
    with closing(search.connect(settings)) as client:
        told = alerting.run_once(client, settings, wanted, say)
    return {"told": told}, f"{len(told)} new alerts of {len(wanted.rules)} rules"


def watch(settings: Settings, say: Say, rules: Path, every: float) -> Outcome:
    """Evaluate the rules of a file every so many seconds until told to end; a store that is away is waited for."""
    wanted = alerting.read_rules(rules)
    require_servers(settings)
    with closing(search.connect(settings)) as client:
        while True:
            try:
                alerting.run_once(client, settings, wanted, say)
            except (ServiceUnavailable, OpenSearchException) as error:
                say(f"{type(error).__name__}: {error}")
            time.sleep(every)
