"""Saved objects as Dashboards 2.x and 3.x import them; Dashboards itself cannot be installed here."""

import json
import re

import pytest
from tests.support.dql import translated

from dualsink.notebook import dashboards
from dualsink.opensearch.index import MAPPING
from dualsink.settings import Settings

OBJECTS = [json.loads(line) for line in dashboards.ndjson(Settings().opensearch_index).splitlines()]
SUMMARY = OBJECTS.pop()
BY_ID = {(each["type"], each["id"]): each for each in OBJECTS}
STRINGS = {
    "index-pattern": {"title": str, "timeFieldName": str, "fields": str},
    "search": {"title": str, "description": str, "hits": int, "columns": list, "sort": list, "version": int},
    "visualization": {"title": str, "description": str, "version": int, "visState": str, "uiStateJSON": str},
    "dashboard": {
        "title": str, "description": str, "hits": int, "version": int, "timeRestore": bool, "timeFrom": str,
        "timeTo": str, "panelsJSON": str, "optionsJSON": str,
    },
}  # fmt: skip
SEARCHING = [each for each in OBJECTS if each["type"] != "index-pattern"]


def source_of(saved: dict) -> dict:
    return json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])


def titles(kind: str) -> list[str]:
    return [each["attributes"]["title"] for each in OBJECTS if each["type"] == kind]


def test_there_is_a_pattern_searches_pictures_and_one_dashboard():
    assert titles("index-pattern") == ["application-logs-*"]
    assert (len(titles("search")), len(titles("visualization"))) == (4, 5)
    assert titles("dashboard") == ["Application logs"]


def test_the_last_line_is_the_summary_of_an_export():
    assert {"exportedCount": len(OBJECTS), "missingRefCount": 0, "missingReferences": []} == SUMMARY


@pytest.mark.parametrize("saved", OBJECTS, ids=lambda each: each["id"])
def test_an_object_has_the_fields_of_its_type_and_no_others(saved):
    assert set(saved) == {"type", "id", "attributes", "references", "migrationVersion"}
    assert saved["migrationVersion"] == {saved["type"]: dashboards.MIGRATIONS[saved["type"]]}
    meta = set() if saved["type"] == "index-pattern" else {"kibanaSavedObjectMeta"}
    wanted = STRINGS[saved["type"]]
    assert set(saved["attributes"]) == set(wanted) | meta
    assert {n: type(saved["attributes"][n]) for n in wanted} == wanted


def test_ids_are_unique_and_every_reference_is_in_the_file_before_it_is_needed():
    assert len(BY_ID) == len(OBJECTS)
    known: set[tuple[str, str]] = set()
    for saved in OBJECTS:
        assert {(r["type"], r["id"]) for r in saved["references"]} <= known
        known.add((saved["type"], saved["id"]))


@pytest.mark.parametrize("saved", SEARCHING, ids=lambda each: each["id"])
def test_a_search_names_its_index_by_reference_and_asks_in_DQL(saved):
    source = source_of(saved)
    names = {reference["name"] for reference in saved["references"]}
    assert "index" not in source
    if saved["type"] != "dashboard":
        assert source["indexRefName"] in names
    assert source["query"]["language"] == "kuery"
    if source["query"]["query"]:
        translated(source["query"]["query"])


@pytest.mark.parametrize("saved", [e for e in OBJECTS if e["type"] == "visualization"], ids=lambda each: each["id"])
def test_a_picture_aggregates_fields_that_can_be_aggregated(saved):
    state = json.loads(saved["attributes"]["visState"])
    fields = {
        each["name"]: each
        for each in json.loads(BY_ID["index-pattern", "application-logs-pattern"]["attributes"]["fields"])
    }
    assert state["title"] == saved["attributes"]["title"]
    assert len({each["id"] for each in state["aggs"]}) == len(state["aggs"])
    used = [each["params"]["field"] for each in state["aggs"] if "field" in each["params"]]
    assert [name for name in used if not fields[name]["aggregatable"]] == []
    orders = [each["params"]["orderBy"] for each in state["aggs"] if "orderBy" in each["params"]]
    assert set(orders) <= {each["id"] for each in state["aggs"] if each["schema"] == "metric"}


def test_the_pattern_knows_every_field_of_the_mapping():
    fields = json.loads(BY_ID["index-pattern", "application-logs-pattern"]["attributes"]["fields"])
    assert {f["name"]: f["esTypes"] for f in fields} == {n: [k["type"]] for n, k in MAPPING["properties"].items()}


def test_panels_lie_beside_each_other_and_refer_to_what_they_show():
    board = BY_ID["dashboard", "application-logs-dashboard"]
    panels = json.loads(board["attributes"]["panelsJSON"])
    assert [p["panelRefName"] for p in panels] == [r["name"] for r in board["references"]]
    cells = [
        (x, y)
        for p in panels
        for x in range(p["gridData"]["x"], p["gridData"]["x"] + p["gridData"]["w"])
        for y in range(p["gridData"]["y"], p["gridData"]["y"] + p["gridData"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 48
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", p["version"]) and p["panelIndex"] == p["gridData"]["i"] for p in panels)
