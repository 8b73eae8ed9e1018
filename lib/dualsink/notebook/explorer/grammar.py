"""Grammar of the search text: Lucene's, for both tiers.

One meaning for both: a tree of luqum is walked here; each tier writes conditions of its own (`dsl`, `lucene`). A word
without a field is looked for in the texts and names of an event and as the value of an attribute; words are joined by
AND, and each may be found in another field.
"""

import re
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from luqum.exceptions import ParseError
from luqum.parser import parser
from luqum.tree import (
    AndOperation,
    Boost,
    FieldGroup,
    From,
    Group,
    Item,
    Not,
    OrOperation,
    Phrase,
    Plus,
    Prohibit,
    Range,
    SearchField,
    To,
    UnknownOperation,
    Word,
)

from dualsink.errors import SettingsError
from dualsink.events.model import DOCUMENT_COLUMNS, EVENT_COLUMNS
from dualsink.opensearch.index import MAPPING

TEXTS, NAMES = ("message", "stack_trace"), ("service", "host")
"""Where a word without a field is looked for, beside the values of `attributes`."""
_COLUMNS = (*EVENT_COLUMNS, *(name for name in DOCUMENT_COLUMNS if name not in EVENT_COLUMNS))
KINDS = {name: MAPPING["properties"][name]["type"] for name in _COLUMNS}
FIELDS = f"{', '.join(KINDS)}; attributes.NAME"
_OTHER = "[^a-zA-Z0-9_]"
_JOINED = AndOperation | OrOperation | UnknownOperation
Written = TypeVar("Written")


def parse(text: str) -> Item:
    """Return the tree of a text.

    Raises SettingsError for one that is no query string.
    """
    try:
        return parser.parse(text)
    except ParseError as error:
        raise SettingsError(f"This is not a query string: {str(error).rstrip('!.')}.") from None


def is_field(name: str) -> bool:
    """Return whether events have a field of this name."""
    top, _, key = name.partition(".")
    return name == "_exists_" or (top in KINDS and (not key or KINDS[top] == "flat_object"))


class Grammar(ABC, Generic[Written]):
    """Grammar of one tier, which writes a tree's condition."""

    def write(self, node: Item, name: str = "") -> Written:
        """Write the condition of a node.

        `name` is the field it is asked of, empty for any. Raises SettingsError for what has no one meaning.
        """
        match node:
            case SearchField() if node.name == "_exists_":
                return self.exists(str(node.expr).strip().replace("\\", ""))
            case SearchField():
                return self.write(node.expr, node.name)
            case Group() | FieldGroup() | Boost() | Plus():
                return self.write(node.children[0], name)
            case Not() | Prohibit():
                return self.none(self.write(node.children[0], name))
            case AndOperation() | OrOperation() | UnknownOperation():
                return self._joined(node, name)
            case Word() if node.value == "*" and not name:
                return self.all([])
            case Word() | Phrase() if not name:
                return self.anywhere(node)
            case Word() | Phrase() | Range() | From() | To() if name:
                return self.leaf(node, name)
        return self.other(node, name)

    def _joined(self, node: Item, name: str) -> Written:
        """Join parts as Lucene does.

        What is excluded is excluded whatever the operator.
        """
        excluded = [self.write(n, name) for n in node.children if isinstance(n, Not | Prohibit)]
        wanted = [n for n in node.children if not isinstance(n, Not | Prohibit)]
        if any(isinstance(n, _JOINED) for n in wanted):
            raise SettingsError("AND and OR side by side mean different things to different readers: set brackets.")
        either = isinstance(node, OrOperation)
        if either and any(isinstance(n, Plus) for n in wanted):
            raise SettingsError("`+` beside OR makes the other parts optional: set brackets instead.")
        parts = [self.write(n, name) for n in wanted]
        return self.all(([self.any(parts)] if either and parts else parts) + excluded)

    @abstractmethod
    def all(self, parts: list[Written]) -> Written:
        """Join conditions that must all hold.

        No condition matches everything.
        """

    @abstractmethod
    def any(self, parts: list[Written]) -> Written:
        """Join conditions of which one must hold."""

    @abstractmethod
    def none(self, part: Written) -> Written:
        """Negate a condition."""

    @abstractmethod
    def exists(self, name: str) -> Written:
        """Match events that have a field."""

    @abstractmethod
    def anywhere(self, node: Word | Phrase) -> Written:
        """Match a word or phrase in any field.

        The fields are the texts, names and attributes of an event.
        """

    @abstractmethod
    def leaf(self, node: Item, name: str) -> Written:
        """Match a word, phrase or range in one field."""

    @abstractmethod
    def other(self, node: Item, name: str) -> Written:
        """Match what one tier alone can be asked."""


def text_of(node: Item) -> str:
    """Return a word or phrase without quotes and escapes."""
    text = node.value[1:-1] if isinstance(node, Phrase) else node.value
    return re.sub(r"\\(.)", r"\1", text)


def name_patterns(node: Word | Phrase) -> list[str]:
    """Return patterns of the names that a word matches.

    The names are those of services and hosts. The patterns are regular expressions for lower-case text that Lucene and
    RE2 read alike; all must match. Empty without a letter.
    """
    if isinstance(node, Word) and node.has_wildcard():
        words = [wildcard(node.value.lower(), "[a-zA-Z0-9_]")]
    else:
        found = re.findall(r"\w+", text_of(node).lower())
        words = [f"{_OTHER}+".join(found)] if found and isinstance(node, Phrase) else found
    return [f"(.*{_OTHER})?{word}({_OTHER}.*)?" for word in words]


def wildcard(text: str, character: str) -> str:
    """Return the regular expression of a pattern.

    The pattern has `*` and `?`.
    """
    pieces = {"*": f"{character}*", "?": character}
    return "".join(pieces.get(part) or re.escape(part.replace("\\", "")) for part in re.findall(r"\\.|.", text, re.S))
