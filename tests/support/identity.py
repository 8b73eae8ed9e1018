"""Events whose ids and index names are known in bytes: for Python and for SQL."""

TOPIC_ID = "kC0YVm9lT0OrQ9nqj1Yb3w"
EVENTS = [
    (
        (TOPIC_ID, 0, 0, 0),
        0,
        b"kC0YVm9lT0OrQ9nqj1Yb3w-0-0000000000000000000-0",
        b"application-logs-1970.01.01",
    ),
    (
        (TOPIC_ID, 3, 1_234_567, 12),
        1_795_472_101_123_456,
        b"kC0YVm9lT0OrQ9nqj1Yb3w-3-0000000000001234567-12",
        b"application-logs-2026.11.23",
    ),
    (
        ("-_9lT0OrQ9nqj1Yb3wkC0Y", 2**31 - 1, 2**63 - 1, 2**31 - 1),
        1_795_478_399_999_999,
        b"-_9lT0OrQ9nqj1Yb3wkC0Y-2147483647-9223372036854775807-2147483647",
        b"application-logs-2026.11.23",
    ),
    (
        (TOPIC_ID, 11, 10**18, 100),
        1_795_478_400_000_000,
        b"kC0YVm9lT0OrQ9nqj1Yb3w-11-1000000000000000000-100",
        b"application-logs-2026.11.24",
    ),
]
"""Topic id, partition, offset and position; event time in µs; `_id`; index."""
