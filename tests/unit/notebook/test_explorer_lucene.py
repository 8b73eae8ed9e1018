"""Attributes asked of the archive: the rows that OpenSearch's flat_object would find."""

import duckdb
import pytest

from dualsink.errors import SettingsError
from dualsink.notebook.explorer import lucene

ROWS = {
    "dotted": '{"kubernetes":{"labels":{"app.kubernetes.io/name":"pay"}}}',
    "nested": '{"kubernetes":{"labels":{"app":"pay"}},"empty":null}',
    "list": '{"tags":["a","b"],"foo":7}',
    "none": None,
}


def found(text: str) -> list[str]:
    """Names of the rows that a text finds."""
    asked = lucene.condition(text)
    with duckdb.connect() as database:
        database.execute("CREATE TABLE rows (name VARCHAR, message VARCHAR, attributes VARCHAR)")
        database.executemany("INSERT INTO rows VALUES (?, '', ?)", list(ROWS.items()))
        return [
            name for (name,) in database.execute(f"SELECT name FROM rows WHERE {asked.sql}", asked.values).fetchall()
        ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("attributes.foo:*", ["list"]), ("_exists_:attributes.foo", ["list"]), ("attributes.foo:7", ["list"]),
        (r"attributes.kubernetes.labels.app.kubernetes.io\/name:pay", ["dotted"]),
        ("attributes.kubernetes.labels.app:pay", ["nested"]), ("attributes.tags:b", ["list"]),
        ("attributes.empty:*", []), ("_exists_:attributes", ["dotted", "nested", "list"]),
    ],
)  # fmt: skip
def test_an_attribute_is_found_by_its_name_and_value(text, names):
    assert found(text) == names


@pytest.mark.parametrize("text", ["attributes.duration:>500", "attributes.duration:[1 TO 5]"])
def test_a_range_of_an_attribute_is_refused_instead_of_finding_all(text):
    with pytest.raises(SettingsError, match="cannot be asked of the archive"):
        lucene.condition(text)
