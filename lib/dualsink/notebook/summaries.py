"""Summaries for the notebooks: ledger, audit and maintenance as tables."""

import html
from dataclasses import asdict
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from dualsink.ledger.book import Ledger, in_order
from dualsink.ledger.verdicts import VERDICTS
from dualsink.notebook import frames
from dualsink.operations.audit import Audit
from dualsink.operations.maintenance import Measured

_HOLDS, _DIFFERS = "background-color: #d8f0dd; color: #12492a", "background-color: #f9d5d5; color: #7a1020"


def partitions(ledger: Ledger) -> Styler:
    """Show statement 1 of the ledger, a row a partition.

    A row says what Kafka holds and where each record went. Rows say `holds` or `differs`.
    """
    rows = [
        {
            "partition": f"{line.topic}-{line.partition}",
            "offsets": f"{line.beginning:,} to {line.position - 1:,}" if line.position > line.beginning else "none",
            "records in Kafka": line.kafka,
            "in archive": line.archive,
            "in quarantine": line.quarantine,
            "waiting": line.waiting,
            "beyond Kafka": line.beyond_kafka,
            "lost": line.lost,
            "verdict": verdict(line.holds),
        }
        for line in ledger.partitions
    ]
    return coloured(rows, "Statement 1: every record that was read is in the archive or in the quarantine, once")


def days(ledger: Ledger) -> Styler:
    """Show statement 2 of the ledger, a row a day.

    A row has both stores' counts and digests of an event day. Rows say `holds` or `differs`.
    """
    rows = [
        {
            "event day (UTC)": line.day,
            "archive": line.archive,
            "OpenSearch": line.opensearch,
            "refused by OpenSearch": line.hot_refusals,
            "archive digest": _shortened(line.archive_digest),
            "OpenSearch digest": _shortened(line.opensearch_digest),
            "verdict": verdict(line.holds),
        }
        for line in ledger.days
    ]
    return coloured(rows, "Statement 2: what people search is what the archive holds, each event once")


def verdicts(ledger: Ledger) -> pd.DataFrame:
    """Return the ledger's findings.

    Columns: verdict, store, count, what it means, the command that ends it.
    """
    columns = ["verdict", "store", "count", "meaning", "ended by"]
    rows = [
        (f.verdict, f.store, f.count, VERDICTS[f.verdict].meaning, f.remedy or f.note or "nothing: it is normal")
        for f in in_order(ledger.findings)
    ]
    return frames.if_empty(pd.DataFrame(rows, columns=columns), "good: nothing was found")


def differences(ledger: Ledger) -> pd.DataFrame:
    """Return records that a store lacks, doubles or holds otherwise.

    Columns: kind, store, coordinates, kafka_timestamp.
    """
    columns = ["kind", "store", "coordinates", "kafka_timestamp"]
    rows = [(d.kind, d.store, d.place, d.kafka_timestamp) for d in ledger.differences]
    return frames.if_empty(pd.DataFrame(rows, columns=columns), "good: no record differs between the stores")


def verdict(holds: bool) -> str:
    """Return the word of a row's verdict, with its sign."""
    return "\N{CHECK MARK} holds" if holds else "\N{BALLOT X} differs"


def coloured(rows: list[dict[str, Any]], caption: str, precision: int | None = None) -> Styler:
    """Return rows as a table, coloured by verdict.

    Texts are text, never markup.
    """
    frame = pd.DataFrame(rows)
    table = frame.style.hide(axis="index").format(precision=precision, thousands=",", escape="html")
    table = table.set_caption(html.escape(caption))
    caption_style = {"selector": "caption", "props": "text-align: left; font-weight: bold; padding: 4px 0"}
    table = table.set_table_styles([caption_style, *frames.styles(frame)])
    if frame.empty:
        return table
    return table.apply(lambda row: [_HOLDS if row["verdict"].endswith("holds") else _DIFFERS] * len(row), axis=1)


def _shortened(digest: str) -> str:
    return digest if len(digest) <= 10 else f"\N{HORIZONTAL ELLIPSIS}{digest[-9:]}"


def audit(found: Audit) -> Styler:
    """Show a row for each day that was archived.

    A row says what an event day held then, holds now, and what has gone and why. Rows say `holds` where nothing has
    gone without a reason.
    """
    rows = [
        {
            "event day (UTC)": day.day,
            "events then": day.events,
            "digest then": day.digest,
            "events now": day.events_now,
            "gone since": day.lost,
            "why": "; ".join(day.reasons),
            "verdict": verdict(day not in found.unexplained),
        }
        for day in found.days
    ]
    return coloured(rows, f"What the archive held at {found.asked}")


def maintenance(before: Measured, after: Measured) -> pd.DataFrame:
    """Return figures of every table, before and after maintenance.

    Side by side; the question's seconds are in the last row.
    """
    pairs = {
        (table.rpartition(".")[2], name.replace("_", " ")): (value, getattr(after.tables[table], name))
        for table, figures in before.tables.items()
        for name, value in asdict(figures).items()
    }
    pairs |= {("archive", "seconds of a question"): (before.query_seconds, after.query_seconds)}
    index = pd.MultiIndex.from_tuples(pairs, names=["table", "figure"])
    return pd.DataFrame([[f"{value:,}" for value in pair] for pair in pairs.values()], index, ["before", "after"])
