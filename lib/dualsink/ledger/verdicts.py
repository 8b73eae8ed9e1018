"""Verdicts: seven kinds of findings, and the command for each."""

from dataclasses import dataclass

MISSING, DOUBLED, ALTERED = "missing", "doubled", "altered"
UNKNOWN_DOCUMENT, LOST, BEYOND_KAFKA, WAITING = "unknown document", "lost", "beyond Kafka", "waiting"


@dataclass(frozen=True)
class Verdict:
    """Verdict of a ledger on an event.

    `command` ends it, unless the finding names another one; empty for what is normal and stays. A ledger with a verdict
    that `differs` does not hold.
    """

    name: str
    meaning: str
    command: str
    differs: bool = True


VERDICTS = {
    verdict.name: verdict
    for verdict in (
        Verdict(MISSING, "a store lacks an event that another one has", "replay"),
        Verdict(DOUBLED, "a store holds an event more than once", "repair"),
        Verdict(ALTERED, "a store holds an event with other content, or in another place", "repair"),
        Verdict(UNKNOWN_DOCUMENT, "OpenSearch alone holds an event: neither Kafka nor a table has it", "rescue"),
        Verdict(LOST, "no store holds records that Kafka once had", "acknowledge"),
        Verdict(BEYOND_KAFKA, "the tables hold events that Kafka no longer has", "", differs=False),
        Verdict(WAITING, "the stream has not read them yet", "stream", differs=False),
    )
}
"""By name, in the order in which they are told: what may be mended before what is lost."""
