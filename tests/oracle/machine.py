"""An adversary that does anything to a pipeline, in any order, and checks after each step what must be true."""

import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.oracle.lab import ALL, Lab
from tests.oracle.memory import IMMENSE
from tests.oracle.stores import Snapshot
from tests.oracle.world import BEFORE_DOCUMENTS, STEPS, World
from tests.support.lost_shard import lost_shard

WIDE, NARROW = 500, 7
"""Hot windows: one in which far days lie, and the one that the pipeline has when time has passed."""
LATE, FAR = timedelta(days=2), timedelta(days=400)
_WITHOUT = set(os.environ.get("DUALSINK_ORACLE_WITHOUT", "").split())
_NUMBERS = count(1)
KINDS = {
    "plain": {},
    "malformed": {"bad": True},
    "committed": {"outcome": "commit"},
    "aborted": {"outcome": "abort"},
    "late": {"age": LATE},
    "far": {"age": FAR},
    "immense": {"blob": "x" * IMMENSE},
    "with a stack trace": {"stack_trace": "E: x\n\tat a.B"},
}


class BudgetSpent(BaseException):
    """The time is over; not an Exception, which hypothesis would take for a fault."""


def step(name: str, **arguments: st.SearchStrategy) -> Callable:
    """A rule while there is time, unless the environment leaves it out."""

    def made(act: Callable) -> Callable:
        @wraps(act)
        def run(machine: "Adversary", **values: Any) -> None:
            machine.check_time()
            try:
                act(machine, **values)
            except Exception:
                type(machine).faulty = True
                raise

        return precondition(lambda machine: name not in _WITHOUT)(rule(**arguments)(run))

    return made


def some_of(uids: Iterable[str], number: int) -> list[str]:
    """At most two of some events, chosen by a number."""
    ordered = sorted(uids)
    return (ordered[number % len(ordered) :] + ordered)[:2] if ordered else []


class Adversary(RuleBasedStateMachine):
    """One pipeline on running servers, and the notes of what was done to it."""

    world: World
    deadline: float
    faulty = over = False

    @initialize()
    def begin(self) -> None:
        """A pipeline with something in it."""
        self.check_time()
        self.lab = Lab.of(self.world, f"oracle {next(_NUMBERS)}", opensearch_shards=2, hot_days=WIDE)
        self.fixed = int(time.time() * 1000)
        self.lab.produce(4)
        self.lab.stream()

    # -- Kafka ---------------------------------------------------------------------------------------

    @step("produce", kind=st.sampled_from(sorted(KINDS.keys() - _WITHOUT)), same_time=st.booleans())
    def produce(self, kind: str, same_time: bool) -> None:
        """Records of one kind, perhaps with the CreateTime that others have."""
        if kind == "far" and self.hot_days == NARROW and self._far_days():
            return  # What an index of a day that has left the window must hold of them, nobody has said.
        self.lab.produce(2, created=self.fixed if same_time else None, **KINDS[kind])

    @step("truncate")
    def truncate(self) -> None:
        """Kafka's retention takes what is there, read or not; not the last that tells what an altered row was."""
        if not any("altered in the archive" in wrong for wrong in self.lab.untrue(self.hot_days)):
            self.lab.stores.truncate()
            self.check()

    @step("recreate")
    def recreate_topic(self) -> None:
        """Another topic of the same name, once all of the old one was read, and as its user a new checkpoint."""
        self._run("stream")
        if self.lab.memory.unsettled:
            return
        self.lab.stores.recreate_topic()
        self.lab.pipeline.parameters["checkpoint_dir"] += "-next"
        self.lab.produce(2, created=self.fixed)
        self.check()

    @step("add_partitions")
    def add_partitions(self) -> None:
        """One partition more, with a record in it."""
        partitions = len(self.lab.stores.topic.ends())
        self.lab.stores.add_partitions(partitions + 1)
        self.lab.pipeline.parameters["kafka_partitions"] = partitions + 1
        self.lab.produce(1, partition=partitions)

    # -- the stream ----------------------------------------------------------------------------------

    @step("stream")
    def stream(self) -> None:
        """The stream to its end."""
        self._run("stream")
        self.check()

    @step("time_passes")
    def time_passes(self) -> None:
        """Far days leave the hot window."""
        self.lab.pipeline.parameters["hot_days"] = NARROW

    @step("kill", at=st.sampled_from(STEPS))
    def kill_stream(self, at: str) -> None:
        """The machine of a stream dies at a step."""
        if self._stream_works():
            self.lab.produce(2)
            self.lab.killed("stream", at)
            self.check()

    @step("second_driver")
    def second_driver(self) -> None:
        """Another machine reads the topic, with a checkpoint of its own, while this one sends."""
        if self._stream_works():
            self.lab.produce(2)
            with self.lab.stopped("stream", BEFORE_DOCUMENTS, retry_deadline_seconds=300):
                self.lab.run("stream", console=1, checkpoint_dir=f"{self._checkpoint()}-other-{next(_NUMBERS)}")
            self.check()

    # -- the stores ----------------------------------------------------------------------------------

    @step("drop_documents", number=st.integers(0, 9))
    def drop_documents(self, number: int) -> None:
        """Somebody deletes documents."""
        near = {uid for uid in self._whole() if not self.lab.memory.is_older(uid, FAR - LATE)}
        self.lab.stores.drop_documents(some_of(near, number))
        self.check()

    @step("alter_documents", number=st.integers(0, 9))
    def alter_documents(self, number: int) -> None:
        """Somebody updates documents."""
        self.lab.stores.alter_documents(some_of(self._whole(), number), message="forged")
        self.check()

    @step("drop_rows", number=st.integers(0, 9))
    def drop_rows(self, number: int) -> None:
        """A wrong DELETE."""
        self.lab.stores.drop_rows(some_of(self._whole(), number))
        self.check()

    @step("alter_rows", number=st.integers(0, 9))
    def alter_rows(self, number: int) -> None:
        """A wrong UPDATE, of the kind that moves a value to the next column; Kafka can still tell what it was."""
        events = some_of(self._whole() & self.lab.now().kafka.keys(), number)
        self.lab.stores.alter_rows(events, host=None, message="h1")
        self.check()

    @step("double_rows", number=st.integers(0, 9))
    def double_rows(self, number: int) -> None:
        """Rows that were written twice."""
        self.lab.stores.double_rows(some_of(self._whole(), number))
        self.check()

    @step("lose_shard", command=st.sampled_from(["retention", "repair", "validate", f"replay {ALL}"]))
    def command_without_a_shard(self, command: str) -> None:
        """A shard is away while a command runs, and comes back."""
        indices = self.lab.stores.search.behind()
        if not indices:
            return
        before = self.lab.now()
        with lost_shard(self.lab.stores.search.client, indices[0]):
            ledger = self.lab.run(command)
        assert not (command == "validate" and ledger.ok), f"a ledger that holds with a shard away: {ledger}"
        self._lost_nothing(command, before)
        self.check()

    # -- commands that mend, and commands that age ---------------------------------------------------

    @step("mend", command=st.sampled_from([f"replay {ALL}", "repair", "redrive"]))
    def mend(self, command: str) -> None:
        """One mending command: what it can mend is mended, and nothing else is touched."""
        before = self.lab.now()
        self._run(command)
        self._lost_nothing(command, before)
        self.check()

    @step("mend_all")
    def mend_all(self) -> None:
        """What a person does who reads the ledger's messages: at the end it holds, or names what is lost for good."""
        before = self.lab.now()
        for command in ("stream", f"replay {ALL}", "repair", "redrive"):
            self._run(command)
        self._lost_nothing("mending", before)
        ledger = self.lab.ledger()
        assert ledger.holds or self._lost(self.lab.now()), f"mended, and the ledger does not hold: {ledger}"
        self.check()

    @step("retention")
    def retention(self) -> None:
        """The hot tier ages."""
        before = self.lab.now()
        self._run("retention")
        self._lost_nothing("retention", before, documents=False)
        self.check()

    @step("rehydrate")
    def rehydrate(self) -> None:
        """The far days come back."""
        before = self.lab.now()
        now = datetime.now(UTC)
        self._run(f"rehydrate --from {now - FAR - LATE:%Y-%m-%d} --to {now - FAR + LATE:%Y-%m-%d}")
        self._lost_nothing("rehydrate", before)
        self.check()

    @step("retire")
    def retire(self) -> None:
        """The far days are past their years: what neither Kafka nor OpenSearch has may go."""
        before = self.lab.now()
        self._run("retire", archive_years=1)
        lawful = before.archive.keys() - before.kafka.keys() - before.documents.keys()
        lawful = {uid for uid in lawful if self.lab.memory.is_older(uid, FAR - LATE)}
        self.lab.memory.gone |= lawful - self.lab.now().archive.keys()
        self._lost_nothing("retire", before)
        self.check()

    @step("maintain")
    def maintain(self) -> None:
        """Compaction, and no history but the newest snapshot."""
        before = self.lab.now()
        self._run("maintain", snapshot_days=0)
        self._lost_nothing("maintain", before)
        self.check()

    # -- what must be true ---------------------------------------------------------------------------

    def check(self) -> None:
        """Compare what the ledger says with what the test knows."""
        now, ledger = self.lab.now(), self.lab.ledger()
        unnamed = {uid for uid in self._lost(now) if self.lab.memory.events[uid].coordinates not in ledger.named}
        assert not unnamed, f"in no store and not named: {sorted(unnamed)}: {ledger}"
        wrong = self.lab.memory.untrue(now, self.hot_days)
        if ledger.holds:
            assert not wrong, f"the ledger holds, and {wrong}"
        else:
            assert wrong or "alarm" in _WITHOUT, f"all is well, and the ledger does not hold: {ledger}"

    def teardown(self) -> None:
        """Nothing: the next pipeline has other names, and the servers go with the test."""

    @property
    def hot_days(self) -> int:
        """The pipeline's hot window."""
        return self.lab.pipeline.parameters["hot_days"]

    def _far_days(self) -> bool:
        return any(f"{datetime.now(UTC) - FAR:%Y.%m.%d}" in index for index in self.lab.stores.search.indices())

    def _whole(self) -> set[str]:
        """Events that nobody has harmed: of each, one store alone is harmed at a time."""
        return self.lab.memory.whole(self.lab.now(), self.hot_days)

    def _lost(self, now: Snapshot) -> set[str]:
        """Acknowledged events that no store has, and that no stream can read any more."""
        return self.lab.memory.nowhere(now) - self.lab.memory.waiting(now)

    def _lost_nothing(self, command: str, before: Snapshot, documents: bool = True) -> None:
        """What was held is held still, by the store that held it, but for the quarantine, which a re-drive empties."""
        now, known = self.lab.now(), self.lab.memory.acknowledged.keys()
        assert not (gone := (before.archive.keys() & known) - now.archive.keys()), f"{command}: rows gone: {gone}"
        kept = now.archive.keys() | now.quarantine.keys()
        assert not (gone := (before.quarantine.keys() & known) - kept), f"{command}: quarantine lost {gone}"
        if documents:
            there = now.documents.keys() | now.archive.keys()
            assert not (gone := (before.documents.keys() & known) - there), f"{command}: documents gone: {gone}"

    def _run(self, command: str, **parameters) -> None:
        """A command to its end; a refusal is an answer, what was changed by it counts."""
        result = self.lab.run(command, **parameters)
        assert "Traceback" not in result.err, f"{command} does not know what happened: {result}"
        if command == "stream" and result.ok:
            self.lab.memory.settle()

    def _stream_works(self) -> bool:
        """Whether it reads to the end now; it may refuse where Kafka dropped what it had not read."""
        self._run("stream")
        return not self.lab.memory.unsettled

    def _checkpoint(self) -> str:
        return str(self.lab.pipeline.parameters["checkpoint_dir"])

    def check_time(self) -> None:
        """End the whole run when its time is over; a fault that was found is run once more whatever the time."""
        if time.monotonic() > self.deadline and not self.faulty:
            type(self).over = True
            raise BudgetSpent
