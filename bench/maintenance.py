"""What maintenance does to a day of small batches: sizes, file counts and the seconds of a question, before and after.

    python bench/maintenance.py [--events 200000] [--batches 60]

Starts servers of its own on free ports, streams so many events of yesterday in so many batches, looks after the table,
and prints a Markdown table. Nothing is left behind.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dualsink import checks, generator, kafka, maintenance, stream
from dualsink.local.servers import LocalServers, export_credentials, free_settings
from dualsink.settings import Settings
from dualsink.spark import spark_session

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


@contextmanager
def servers() -> Iterator[Settings]:
    """Settings of servers that run while the block does; every snapshot but the newest marker's may expire."""
    with tempfile.TemporaryDirectory(prefix="dualsink-maintenance-") as folder:
        values = {"environment": "bench", "snapshot_days": 0, **free_settings(Settings(), Path(folder))}
        local = LocalServers(Settings.from_values(values))
        started = local.up()
        export_credentials(local.settings)
        try:
            yield local.settings
        finally:
            local.down(started)


def table(before: maintenance.Measured, after: maintenance.Measured) -> str:
    """Both measurements of the archive side by side, as Markdown."""
    lines = ["| | before | after |", "|---|---|---|"]
    (one, *_), (other, *_) = (list(measured.tables.values()) for measured in (before, after))
    for name, value in asdict(one).items():
        lines.append(f"| {name.replace('_', ' ')} | {value:,} | {getattr(other, name):,} |")
    return "\n".join([*lines, f"| seconds of a question | {before.query_seconds} | {after.query_seconds} |"])


def main() -> None:
    """Stream, look after the table, print what changed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--batches", type=int, default=60)
    given = parser.parse_args()
    with servers() as settings:
        settings = settings.model_copy(update={"max_offsets_per_trigger": -(-given.events // given.batches)})
        spark = spark_session(settings)
        try:
            checks.create_all(spark, settings)
            kafka.produce(generator.generate(given.events, 7, 0.0, NOON), settings)
            stream.run(spark, settings)
            before = maintenance.measure(spark, settings)
            for step in maintenance.carry_out(spark, settings, maintenance.plan(spark, settings)):
                print(step)
            print(table(before, maintenance.measure(spark, settings)))
        finally:
            spark.stop()


if __name__ == "__main__":
    main()
