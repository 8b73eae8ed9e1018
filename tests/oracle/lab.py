"""One pipeline under test: its commands, its stores, and what the test knows of both."""

import re
from dataclasses import dataclass
from typing import Any

from tests.oracle.memory import Memory
from tests.oracle.stores import Snapshot, Stores
from tests.oracle.world import Pipeline, Result, World

ALL = "--from 0 --to 1000000"
"""Bounds of a replay of everything."""


@dataclass(frozen=True)
class Verdict:
    """The exit of a ledger, and the records that it names, by partition and offset."""

    result: Result
    named: frozenset[tuple[int, int]]

    @property
    def holds(self) -> bool:
        """Whether it says so."""
        return self.result.ok

    def names(self, kind: str) -> bool:
        """Whether it uses this word."""
        return kind in self.result.text

    def __str__(self) -> str:
        return str(self.result)


class Lab:
    """A pipeline and all that a test does with it."""

    def __init__(self, pipeline: Pipeline):
        self.pipeline = pipeline
        self.stores = Stores(pipeline)
        self.memory = Memory(self.stores)
        self.produce = self.memory.produce
        self.run, self.must = pipeline.run, pipeline.must
        self.stopped, self.killed = pipeline.stopped, pipeline.killed

    @classmethod
    def of(cls, world: World, name: str, **parameters: Any) -> "Lab":
        """A new pipeline, set up."""
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:60]
        lab = cls(Pipeline(world, plain, **parameters))
        lab.must("setup")
        return lab

    def stream(self, **parameters: Any) -> Result:
        """Run the stream, which must end well."""
        result = self.must("stream", **parameters)
        self.memory.settle()
        return result

    def now(self) -> Snapshot:
        """What the stores hold."""
        return self.stores.now()

    def nowhere(self) -> set[str]:
        """Acknowledged events that no store holds any more."""
        return self.memory.nowhere(self.now())

    def untrue(self, hot_days: int = 7) -> list[str]:
        """Why a ledger that holds would be wrong."""
        return self.memory.untrue(self.now(), hot_days)

    def audited(self) -> set[str]:
        """Actions that the audit table names."""
        return {row["action"] for row in self.stores.lake.rows(self.stores.lake.audit)}

    def ledger(self, **parameters: Any) -> Verdict:
        """The product's own verdict."""
        result = self.run("validate", **parameters)
        found = re.findall(rf"{re.escape(self.pipeline.topic)}-(\d+)-(\d+)", result.text)
        return Verdict(result, frozenset((int(partition), int(offset)) for partition, offset in found))
