"""DQL as Dashboards translates it into the query DSL, as far as the questions use it.

Dashboards does this in the browser and cannot be installed here, so the grammar is written down from its own (fields,
quoted and bare values, lists of values, ranges; `not` before `and` before `or`), and the outcome runs on the live node.
"""

from typing import Any

from lark import Lark, Transformer

_GRAMMAR = r"""
?start: or_query
?or_query: and_query ("or"i and_query)*             -> any_of
?and_query: not_query ("and"i not_query)*           -> all_of
?not_query: "not"i sub_query                        -> none_of
          | sub_query
?sub_query: "(" or_query ")" | expression
?expression: field OPERATOR value                   -> range
           | field ":" values                       -> is_in
field: BARE
?values: "(" value_list ")" | value
?value_list: value ("or"i value)*                   -> listed
value: BARE | QUOTED
OPERATOR: "<=" | ">=" | "<" | ">"
QUOTED: /"(\\.|[^"\\])*"/
BARE: /(?!(or|and|not)\b)[^\s\\():<>"*{}]+/i
%ignore /\s+/
"""
_BOUNDS = {"<=": "lte", ">=": "gte", "<": "lt", ">": "gt"}


class _Translator(Transformer):
    """Parse tree to query DSL; a quoted value is a phrase, a bare one a match."""

    def field(self, items):
        return str(items[0])

    def value(self, items):
        text = str(items[0])
        if not text.startswith('"'):
            return "match", text
        return "match_phrase", text[1:-1].replace('\\"', '"').replace("\\\\", "\\")

    def listed(self, items):
        return items

    def is_in(self, items):
        name, values = items
        values = values if isinstance(values, list) else [values]
        return self.any_of([{kind: {name: text}} for kind, text in values])

    def range(self, items):
        name, operator, (_, text) = items
        return {"range": {name: {_BOUNDS[str(operator)]: text}}}

    def any_of(self, items):
        return items[0] if len(items) == 1 else {"bool": {"should": items, "minimum_should_match": 1}}

    def all_of(self, items):
        return items[0] if len(items) == 1 else {"bool": {"filter": items}}

    def none_of(self, items):
        return {"bool": {"must_not": items}}


def translated(text: str) -> dict[str, Any]:
    """The query DSL of a DQL text. Raises lark's UnexpectedInput for what is not DQL, such as Lucene's ranges."""
    return _Translator().transform(Lark(_GRAMMAR).parse(text))
