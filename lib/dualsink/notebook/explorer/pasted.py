"""Pasted text as a query string.

A line of a log is full of signs that mean something else to Lucene: `Out of memory: 67836 MB` names a field, a path
begins a regular expression, `C:\\` ends in an escape. A text that is a query string of known fields stays as it is; of
any other, the parts that are none are words.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from luqum.exceptions import ParseError
from luqum.parser import parser
from luqum.tree import Item, Not, Phrase, Prohibit, SearchField, Word

from dualsink.errors import SettingsError
from dualsink.notebook.explorer import grammar
from dualsink.notebook.explorer.answers import Search

_PART = re.compile(r'(?:[(+!-]*(?:\\.|[\w.-])+:)?(?:"(?:\\.|[^"\\])*"|[\[{][^\]}]*[\]}])|\S+')
"""A phrase or a range, with its field if it has one; else what stands between spaces."""
_NAMED = re.compile(r"[(+!-]*([A-Za-z_](?:\\.|[\w.-])*):(?=\S)")
_REGULAR_EXPRESSION = re.compile(r"/[^/]+/")
_SIGNS = re.compile(r'([\\:/\[\]{}()^~"!+\-])')
_LEVEL = re.compile(r"((?<![\w.\\])level:)([A-Za-z]+)\b(?![*?])")
_OPERATORS = ("AND", "OR", "NOT", "TO", "||", "&&")


def read(text: str) -> tuple[str, list[str]]:
    """Return the query string of a text, with remarks.

    The remarks say what the person should know of how it was read. Raises SettingsError for a word that begins with a
    wildcard.
    """
    text = _LEVEL.sub(lambda found: found[1] + found[2].upper(), text)
    unknown, parts = _unknown_fields(text), _PART.findall(text)
    if unknown == [] and not any("/" in part and not _stays(part) for part in parts):
        _check_wildcards(parts)
        return text, []
    if unknown is None and any(_is_of_field(part) for part in parts):
        return text, []  # A query string with a mistake in it: the store says where.
    names = unknown or sorted({found[1] for part in parts if (found := _NAMED.match(part))})
    words = " ".join(part if _stays(part) else _SIGNS.sub(r"\\\1", part) for part in parts)
    note = f"There is no field {', '.join(names)}. Fields: {grammar.FIELDS}. " if names else ""
    return words, [f"{note}Read as words: {text.strip()}"]


def understood(wanted: Search) -> Search:
    """Return the search with its text as a query string.

    Raises as `read` does.
    """
    return replace(wanted, text=read(wanted.text)[0])


def words(text: str) -> list[str]:
    """Return the words and phrases to highlight.

    Those that a search looks for in texts and names, in lower case.
    """
    try:
        tree = parser.parse(read(text)[0]) if text.strip() else None
    except (ParseError, SettingsError):
        return []
    return sorted({word.lower() for word in _words(tree)} - {"*"}) if tree else []


def _words(node: Item) -> Iterator[str]:
    if isinstance(node, Word | Phrase):
        yield grammar.text_of(node)
    elif isinstance(node, SearchField) and node.name not in (*grammar.TEXTS, *grammar.NAMES):
        return
    elif not isinstance(node, Not | Prohibit):
        for child in node.children:
            yield from _words(child)


def _unknown_fields(text: str) -> list[str] | None:
    """Return names in a query string that are no fields.

    None if it is no query string.
    """
    try:
        tree = parser.parse(text) if text.strip() else None
    except ParseError:
        return None
    found, waiting = [], [tree] if tree else []
    while waiting:
        node = waiting.pop()
        waiting += node.children
        if isinstance(node, SearchField) and not grammar.is_field(node.name.replace("\\", "")):
            found.append(node.name)
    return found


def _is_of_field(part: str) -> bool:
    found = _NAMED.match(part)
    return bool(found and grammar.is_field(found[1]))


def _stays(part: str) -> bool:
    phrase = len(part) > 1 and part.startswith('"') and part.endswith('"')
    return part in _OPERATORS or phrase or _is_of_field(part) or bool(_REGULAR_EXPRESSION.fullmatch(part))


def _check_wildcards(parts: list[str]) -> None:
    for part in parts:
        value = part.rpartition(":")[2].lstrip("(+-!")
        if len(value) > 1 and value[0] in "*?":
            raise SettingsError(
                f"{value} begins with a wildcard, so every word would be looked at: begin with letters."
            )
