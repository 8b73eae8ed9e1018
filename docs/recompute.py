"""Recompute the digests of an audit, without Spark and without dualsink: PyIceberg reads, xxhash hashes.

    pip install pyiceberg pyarrow xxhash
    python recompute.py 08_audit.json

Keys for the storage, where it wants some, are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. A line for each
event day says `equal` or `DIFFERS`; the exit status is 1 where one differs. The recipe stands in audit.md.
"""

import json
import struct
import sys
from collections import defaultdict
from datetime import UTC, datetime

import pyarrow as pa
import xxhash
from pyiceberg.table import StaticTable

COLUMNS = ["topic", "topic_id", "partition", "offset", "position", "positions", "kafka_timestamp"]
COLUMNS += ["log_id", "timestamp", "level", "service", "host", "message", "stack_trace", "trace_id", "span_id"]
COLUMNS += ["attributes"]
DIGEST_VERSION = 2
SEED = 42


def row_hash(values, kinds):
    """One row's hash: of each column 1 for null or 0, then its value, with the hash before it as the seed."""
    chain = SEED
    for value, kind in zip(values, kinds, strict=True):
        chain = xxhash.xxh64_intdigest(struct.pack("<i", value is None), chain)
        if value is not None:
            chain = xxhash.xxh64_intdigest(as_bytes(value, kind), chain)
    return chain


def as_bytes(value, kind):
    """Text as UTF-8, an int as 4 bytes, a long or a time (microseconds) as 8, little end first."""
    if isinstance(value, str):
        return value.encode()
    return struct.pack("<i" if pa.types.is_int32(kind) else "<q", value)


def signed(number):
    """A 64-bit number with its sign."""
    return number - 2**64 if number >= 2**63 else number


def day_of(microseconds):
    """The UTC day of a time."""
    return str(datetime.fromtimestamp(microseconds // 1_000_000, UTC).date())


def recompute(table):
    """Events and digest of every event day of a table."""
    days = defaultdict(lambda: [0, 0])
    known = [name for name in COLUMNS if name in table.schema().column_names]
    for batch in table.scan(selected_fields=tuple(known)).to_arrow_batch_reader():
        columns = [numbers(batch[name]) if name in known else pa.nulls(len(batch)) for name in COLUMNS]
        kinds = [column.type for column in columns]
        for row in zip(*(column.to_pylist() for column in columns), strict=True):
            day = days[day_of(row[COLUMNS.index("timestamp")])]
            day[0] += 1
            day[1] += signed(xxhash.xxh64_intdigest(struct.pack("<Q", row_hash(row, kinds)), SEED))
    return {day: (events, str(digest)) for day, (events, digest) in days.items()}


def numbers(column):
    """A column whose times are microseconds."""
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def main(file):
    """Compare an audit with the table that it names; returns whether all days are equal."""
    with open(file, encoding="utf-8") as opened:
        audit = json.load(opened)["result"]
    if audit["digest_version"] != DIGEST_VERSION:
        sys.exit(f"This script computes digests of version {DIGEST_VERSION}, not {audit['digest_version']}.")
    found = recompute(StaticTable.from_metadata(audit["origin"]["metadata_location"], audit["storage"]))
    told = {day["day"]: (day["events"], day["digest"]) for day in audit["days"]}
    for day in sorted(found.keys() | told.keys()):
        print("equal  " if found.get(day) == told.get(day) else "DIFFERS", day, *found.get(day, (0, 0)))
    return found == told


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1]))
