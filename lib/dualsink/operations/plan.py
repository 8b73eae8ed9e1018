"""Plans and results: what operations intend, do and report.

`plan()` of an operation lists steps and changes nothing; `execute()` does them and yields each as it was done.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, TypeVar

Say = Callable[[str], None]
"""Takes a line for people, as soon as it is known."""


def quietly(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """Step: a verb, its target and the reason.

    A target that stays as it is has the verb `keep`.
    """

    verb: str = "keep"
    reason: str = ""

    @property
    @abstractmethod
    def target(self) -> str:
        """Name of what the step acts on, with its size."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return what the step acts on, as JSON types."""

    def __str__(self) -> str:
        return f"{self.verb:9} {self.target}: {self.reason}"

    def as_dict(self) -> dict[str, Any]:
        """Return the step as JSON types."""
        return {**self.about(), "action": self.verb, "reason": self.reason}


S = TypeVar("S", bound=Step)


class Result(ABC):
    """Result of an operation.

    Lines for people, JSON for programs, one fact for a summary.
    """

    exit_status: ClassVar[int] = 0
    """Status of the command, unless `check` raises."""

    @property
    @abstractmethod
    def fact(self) -> str:
        """The result in one line."""

    def lines(self) -> Iterable[str]:
        """Return the details for people, a line each."""
        return ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        return asdict(self)  # type: ignore[call-overload]

    def check(self) -> None:  # noqa: B027
        """Raise a DualsinkError if the operation missed its goal.

        By default it did not.
        """


@dataclass(frozen=True)
class Answer(Result):
    """A result that is a mapping of JSON types already."""

    values: dict[str, Any]
    fact: str = ""
    said: Iterable[str] = field(default=())

    def lines(self) -> Iterable[str]:
        """Return the details as they were given."""
        return self.said

    def as_dict(self) -> dict[str, Any]:
        """Return the mapping."""
        return self.values


def carry_out(steps: list[S], execute: Callable[[list[S]], Iterable[S]] | None, say: Say) -> list[S]:
    """Execute steps, or only list them without `execute`.

    Says each as it is done and returns them all.
    """
    done = []
    for step in execute(steps) if execute else steps:
        say(str(step))
        done.append(step)
    return done


def unless_planned(fact: str, dry_run: bool) -> str:
    """Return the fact, marked as intended after a dry run."""
    return f"nothing was changed; it would be {fact}" if dry_run else fact
