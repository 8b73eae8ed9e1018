"""Query DSL of a search text, for OpenSearch."""

from typing import Any

from luqum.tree import Item, Phrase, Word

from dualsink.notebook.explorer import grammar
from dualsink.notebook.explorer.grammar import Grammar

Query = dict[str, Any]


def query(text: str) -> Query:
    """Return the query DSL of a search text.

    Raises SettingsError for a text that is no query string.
    """
    return _Writer().write(grammar.parse(text)) if text.strip() else {"match_all": {}}


class _Writer(Grammar[Query]):
    """Writes one tree."""

    def all(self, parts: list[Query]) -> Query:
        if not parts:
            return {"match_all": {}}
        return parts[0] if len(parts) == 1 else {"bool": {"filter": parts}}

    def any(self, parts: list[Query]) -> Query:
        return parts[0] if len(parts) == 1 else {"bool": {"should": parts, "minimum_should_match": 1}}

    def none(self, part: Query) -> Query:
        return {"bool": {"must_not": [part]}}

    def exists(self, name: str) -> Query:
        return {"exists": {"field": name}}

    def anywhere(self, node: Word | Phrase) -> Query:
        patterns = grammar.name_patterns(node)
        names = [self.all([_named(name, pattern) for pattern in patterns]) for name in grammar.NAMES if patterns]
        exact = isinstance(node, Phrase) or not node.has_wildcard()
        values = [_valued(grammar.text_of(node))] if exact else []
        return self.any([_query_string(str(node).strip(), list(grammar.TEXTS)), *names, *values])

    def leaf(self, node: Item, name: str) -> Query:
        return _query_string(f"{name}:{str(node).strip()}", list(grammar.TEXTS))

    def other(self, node: Item, name: str) -> Query:
        text = str(node).strip()
        return _query_string(f"{name}:{text}" if name else text, list(grammar.TEXTS))


def _named(name: str, pattern: str) -> Query:
    return {"regexp": {name: {"value": pattern, "case_insensitive": True}}}


def _valued(text: str) -> Query:
    return {"term": {"attributes": {"value": text, "case_insensitive": True}}}


def _query_string(text: str, fields: list[str]) -> Query:
    """Leave a part to OpenSearch's own reader."""
    options = {"default_operator": "AND", "allow_leading_wildcard": False}
    return {"query_string": {"query": text, "fields": fields, **options}}
