"""Command `params`: every parameter with type, value and meaning."""

from dataclasses import dataclass
from typing import Any

from dualsink import words
from dualsink.operations.plan import Result, Say
from dualsink.settings import Settings


@dataclass(frozen=True)
class Parameter:
    """One parameter; `value` is that of the chosen environment."""

    name: str
    type: str
    default: Any
    value: Any
    meaning: str

    def __str__(self) -> str:
        changed = f" (default {self.default!r})" if self.value != self.default else ""
        return f"{self.name:28} {self.type:6} {self.value!r}{changed}  {self.meaning}"


@dataclass(frozen=True)
class Parameters(Result):
    """Parameters in the order of the settings."""

    found: list[Parameter]

    @property
    def fact(self) -> str:
        """Number of parameters, and of those not their defaults."""
        changed = sum(each.value != each.default for each in self.found)
        return f"{words.count(len(self.found), 'parameter')}, {changed} not at the default; set one with -p NAME VALUE"

    def lines(self) -> list[str]:
        """Return a line for each."""
        return [str(each) for each in self.found]


def show(settings: Settings, say: Say, word: str | None) -> Result:
    """List the parameters.

    With `word`, only those whose name or meaning contains it.
    """
    return Parameters(
        [each for each in _all(settings) if (word or "").lower() in f"{each.name} {each.meaning}".lower()]
    )


def _all(settings: Settings) -> list[Parameter]:
    values, defaults = settings.parameters(), Settings().parameters()
    return [
        Parameter(name, type(values[name]).__name__, defaults[name], values[name], field.description or "")
        for name, field in Settings.model_fields.items()
    ]
