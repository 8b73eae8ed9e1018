"""Questions of the class, answered by the stores.

Answers are checked and shown to nobody. The questions themselves are in `notebooks/class.ipynb`, in the order of this
table.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from pyspark.sql import SparkSession

from dualsink import invocation
from dualsink.kafka.topic import Topic, watermarks
from dualsink.ledger.verdicts import MISSING
from dualsink.opensearch import alias, index
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings

Answer = str | int | None


@dataclass
class Quiz:
    """Quiz on one pipeline.

    `right` are the numbers of the questions that were answered rightly.
    """

    spark: SparkSession
    settings: Settings
    right: set[int] = field(default_factory=set)

    def check(self, number: int, answer: Answer) -> None:
        """Print whether an answer is right, else a hint.

        The hint says where to look.
        """
        hint, known = QUESTIONS[number - 1]
        self.right.discard(number)
        if answer is None:
            verdict = "no answer yet"
        elif _plain(answer) in {_plain(each) for each in known(self)}:
            self.right.add(number)
            verdict = "right"
        else:
            verdict = f"not yet: {hint}"
        print(f"question {number}: {verdict}; {len(self.right)} of {len(QUESTIONS)} right")

    def day_indices(self) -> int:
        """Count the day indices of the alias.

        Those that should be behind it count too.
        """
        with closing(index.connect(Cluster.of(self.settings))) as client:
            return len(alias.look(client, HotTier.of(self.settings)).days)

    def rows(self, sql: str) -> list[tuple]:
        """Return rows of a query.

        `{archive}` and `{quarantine}` in it become the tables.
        """
        names = {"archive": self.settings.archive_table, "quarantine": self.settings.quarantine_table}
        return [tuple(row) for row in self.spark.sql(sql.format(**names)).collect()]


def _plain(answer: str | int) -> str:
    return str(answer).strip().strip("`'\"").casefold().replace(",", "")


def _most(rows: list[tuple]) -> set[str]:
    """Return the names with the largest count.

    There may be several.
    """
    return {name for name, count in rows if count == max(count for _, count in rows)}


def _commands(name: str) -> set[str]:
    """Return the ways in which a command may be typed."""
    return {name, f"./run_all.sh {name}", f"python -m dualsink {name}", invocation.command(name)}


_UNRESOLVED = "FROM {quarantine} WHERE stage = 'parse' AND resolved_at IS NULL"
QUESTIONS: tuple[tuple[str, Callable[[Quiz], set]], ...] = (
    (
        "02 shows the offsets of each partition",
        lambda q: {sum(e - b for b, e in watermarks(Topic.of(q.settings)).values())},
    ),
    ("01 lists what it creates, and base.yaml says how many", lambda q: {len(watermarks(Topic.of(q.settings)))}),
    ("count the rows of the archive table, as 04 does", lambda q: set(*q.rows("SELECT count(*) FROM {archive}"))),
    ("03 shows the quarantine by stage and reason", lambda q: set(*q.rows(f"SELECT count(*) {_UNRESOLVED}"))),
    (
        "03 shows the quarantine by stage and reason",
        lambda q: _most(q.rows(f"SELECT reason, count(*) {_UNRESOLVED} GROUP BY reason")),
    ),
    ("03 says it of an id that OpenSearch has already", lambda q: {409}),
    ("03 shows the summary of the archive's snapshots", lambda q: {"dualsink.batch-id"}),
    (
        "group the archive's rows of level ERROR and FATAL by service",
        lambda q: _most(
            q.rows("SELECT service, count(*) FROM {archive} WHERE level IN ('ERROR', 'FATAL') GROUP BY service")
        ),
    ),
    ("ask OpenSearch for the indices behind the alias", lambda q: {q.day_indices()}),
    ("the parameter is in the first cell of 04", lambda q: {q.settings.hot_days}),
    ("the ledger below says it, after you broke something", lambda q: {MISSING}),
    (
        "the ledger below names the command",
        lambda q: _commands("repair"),
    ),
)
"""A hint and the right answers of each question."""
