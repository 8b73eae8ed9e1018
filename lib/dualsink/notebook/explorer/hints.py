"""Hints for a search that found nothing.

They say what nearby searches would find.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dualsink.notebook.explorer import tiers
from dualsink.notebook.explorer.answers import Search
from dualsink.notebook.explorer.stores import Stores

_EXACT = re.compile(r"\b(?:service|host):(?=\S)")
_ID = re.compile(r"[0-9a-fA-F]{32}")
_WORDS = re.compile(r"[^\W_]+(?: [^\W_]+)+")


@dataclass(frozen=True)
class Hint:
    """Hint: a search that differs in one thing.

    `total` is how many events it finds.
    """

    says: str
    wanted: Search
    total: int = 0


def hints(stores: Stores, wanted: Search) -> list[Hint]:
    """Return the nearby searches that find something."""
    tried = [replace(hint, total=_total(stores, hint.wanted)) for hint in nearby(wanted)]
    return [hint for hint in tried if hint.total]


def nearby(wanted: Search) -> Iterator[Hint]:
    """Yield the searches that differ in one thing."""
    text = wanted.text.strip()
    if wanted.levels or wanted.services:
        yield Hint("without the filters", replace(wanted, levels=(), services=()))
    if _ID.fullmatch(text):
        yield Hint("as a trace", replace(wanted, text=f"trace_id:{text}"))
    if _EXACT.search(text):
        yield Hint("as a part of any name", replace(wanted, text=_EXACT.sub("", text)))
    if _WORDS.fullmatch(text):
        yield Hint("with any of the words", replace(wanted, text=" OR ".join(text.split())))
    if wanted.start or wanted.end:
        yield Hint("in all time", replace(wanted, start=None, end=None))
    if wanted.tier != "both":
        yield Hint("in both tiers", replace(wanted, tier="both"))
        if wanted.start or wanted.end:
            yield Hint("in both tiers and all time", replace(wanted, start=None, end=None, tier="both"))


def _total(stores: Stores, wanted: Search) -> int:
    return tiers.find(stores, replace(wanted, size=1, patience=None))[1].total
