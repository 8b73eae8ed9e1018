"""Saved objects for OpenSearch Dashboards, as NDJSON.

Index pattern, searches, visualisations and a dashboard.

    python -m dualsink dashboards > application-logs.ndjson

Import them under Dashboards Management, Saved objects, or by `POST /api/saved_objects/_import?overwrite=true`. The
`migrationVersion` of each type is the one that Dashboards 2.x and 3.x write themselves.
"""

from typing import Any

import orjson

from dualsink.notebook.palette import LEVEL_COLOURS
from dualsink.opensearch import questions
from dualsink.opensearch.index import MAPPING

MIGRATIONS = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}
_INDEX_REFERENCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
# Dashboards' own kinds of field, for the types of the mapping.
_KINDS = {"keyword": "string", "text": "string", "date": "date", "date_nanos": "date", "integer": "number"}
_KINDS |= {"long": "number", "flat_object": "unknown"}
_COLUMNS = ["level", "service", "message"]
_COLUMNS_WIDE = 48


def saved_objects(alias: str) -> list[dict[str, Any]]:
    """Return all objects, referenced ones first.

    Ids are made of the alias: a second import updates.
    """
    pattern = _index_pattern(alias)
    searches = [_search(alias, name, question) for name, question in _questions().items()]
    pictures = _pictures(alias)
    return [pattern, *searches, *pictures, _dashboard(alias, [*pictures, searches[0]])]


def ndjson(alias: str) -> str:
    """Return the objects as NDJSON, with an export's closing line."""
    objects = saved_objects(alias)
    summary = {"exportedCount": len(objects), "missingRefCount": 0, "missingReferences": []}
    return "\n".join(orjson.dumps(line).decode() for line in [*objects, summary]) + "\n"


def _questions() -> dict[str, questions.Question]:
    return {
        "errors-last-hour": questions.errors_of_last_hour(),
        "upstream-unavailable": questions.with_phrase("upstream unavailable"),
        "payment-problems": questions.of_service("payment-service"),
        "timeouts": questions.with_exception("SocketTimeoutException"),
    }


def _object(alias: str, kind: str, name: str, attributes: dict[str, Any], references: list) -> dict[str, Any]:
    return {
        "type": kind,
        "id": f"{alias}-{name}",
        "attributes": attributes,
        "references": references,
        "migrationVersion": {kind: MIGRATIONS[kind]},
    }


def _text(value: Any) -> str:
    """Return a structure as JSON text, as Dashboards keeps it."""
    return orjson.dumps(value).decode()


def _source(dql: str = "", **more: Any) -> dict[str, str]:
    """Return an object's search, of the index pattern it references."""
    source = {"query": {"query": dql, "language": "kuery"}, "filter": []} | more
    return {"searchSourceJSON": _text(source)}


def _to_pattern(alias: str) -> dict[str, str]:
    return {"name": _INDEX_REFERENCE, "type": "index-pattern", "id": f"{alias}-pattern"}


def _index_pattern(alias: str) -> dict[str, Any]:
    fields = [_field(name, kind) for name, kind in MAPPING["properties"].items()]
    title = f"{alias}-*"
    attributes = {"title": title, "timeFieldName": "timestamp", "fields": _text(fields)}
    return _object(alias, "index-pattern", "pattern", attributes, [])


def _field(name: str, mapped: dict[str, Any]) -> dict[str, Any]:
    columns = mapped["type"] not in ("text", "flat_object") and mapped.get("doc_values", True)
    return {
        "name": name,
        "type": _KINDS[mapped["type"]],
        "esTypes": [mapped["type"]],
        "count": 0,
        "scripted": False,
        "searchable": True,
        "aggregatable": columns,
        "readFromDocValues": columns,
    }


def _search(alias: str, name: str, question: questions.Question) -> dict[str, Any]:
    attributes = {
        "title": question.title,
        "description": f"Lucene: {question.lucene}",
        "hits": 0,
        "columns": _COLUMNS,
        "sort": [["timestamp", "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": _source(question.dql, highlightAll=True, version=True, indexRefName=_INDEX_REFERENCE),
    }
    return _object(alias, "search", name, attributes, [_to_pattern(alias)])


# -- visualisations ----------------------------------------------------------------------------------


def _pictures(alias: str) -> list[dict[str, Any]]:
    errors = f"level : ({' or '.join(questions.ERRORS)})"
    over_time = _aggregation("2", "date_histogram", "segment", "timestamp", interval="auto", min_doc_count=1)
    by_service = _terms("2", "segment", "service")
    by_host = _aggregation("3", "cardinality", "metric", "host", customLabel="hosts")
    by_level, failing = _terms("3", "group", "level"), [_terms("2", "bucket", "service"), by_host]
    return [
        _picture(alias, "levels-over-time", "Levels over time", "histogram", [over_time, by_level]),
        _picture(alias, "errors-per-service", "Errors per service", "horizontal_bar", [by_service], errors),
        _picture(alias, "share-of-levels", "Share of levels", "pie", [_terms("2", "segment", "level")]),
        _picture(alias, "failing-services", "Failing services and their hosts", "table", failing, errors),
        _picture(alias, "error-count", "Errors", "metric", [], errors),
    ]  # fmt: skip


def _aggregation(number: str, kind: str, schema: str, field: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "enabled": True, "type": kind, "schema": schema, "params": {"field": field, **more}}


def _terms(number: str, schema: str, field: str) -> dict[str, Any]:
    return _aggregation(number, "terms", schema, field, orderBy="1", order="desc", size=20)


def _picture(
    alias: str, name: str, title: str, kind: str, buckets: list[dict[str, Any]], dql: str = ""
) -> dict[str, Any]:
    count = {"id": "1", "enabled": True, "type": "count", "schema": "metric", "params": {}}
    state = {"title": title, "type": kind, "aggs": [count, *buckets], "params": _look(kind)}
    attributes = {
        "title": title,
        "description": "",
        "version": 1,
        "visState": _text(state),
        "uiStateJSON": _text({"vis": {"colors": LEVEL_COLOURS}}),
        "kibanaSavedObjectMeta": _source(dql, indexRefName=_INDEX_REFERENCE),
    }
    return _object(alias, "visualization", name, attributes, [_to_pattern(alias)])


def _look(kind: str) -> dict[str, Any]:
    """Return the parameters that a kind of picture needs."""
    if kind == "metric":
        style = {"bgColor": False, "labelColor": False, "fontSize": 48, "subText": ""}
        return {"metric": {"metricColorMode": "None", "colorSchema": "Reds", "labels": {"show": True}, "style": style}}
    if kind == "table":
        return {"perPage": 10, "showPartialRows": False, "showTotal": False, "totalFunc": "sum"}
    look = {"type": kind, "addTooltip": True, "addLegend": True, "legendPosition": "right"}
    return look | ({"isDonut": True} if kind == "pie" else _axes(kind))


def _axes(kind: str) -> dict[str, Any]:
    sideways = kind == "horizontal_bar"
    label = {"show": True, "truncate": 100}
    return {
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {"id": "CategoryAxis-1", "type": "category", "position": "left" if sideways else "bottom", "show": True,
             "scale": {"type": "linear"}, "labels": label, "title": {}},
        ],
        "valueAxes": [
            {"id": "ValueAxis-1", "name": "Axis-1", "type": "value", "position": "bottom" if sideways else "left",
             "show": True, "scale": {"type": "linear", "mode": "normal"}, "labels": label, "title": {"text": "events"}},
        ],
        "seriesParams": [
            {"show": True, "type": "histogram", "mode": "stacked", "data": {"id": "1", "label": "events"},
             "valueAxis": "ValueAxis-1"},
        ],
    }  # fmt: skip


def _dashboard(alias: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Lay out the dashboard: two pictures a line, then search.

    A line has 48 columns; the search is across the last one.
    """
    panels = [_panel(number, wide=number in (0, len(parts) - 1)) for number in range(len(parts))]
    attributes = {
        "title": "Application logs",
        "description": "What the services say, and where it goes wrong.",
        "hits": 0,
        "version": 1,
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "panelsJSON": _text(panels),
        "optionsJSON": _text({"useMargins": True, "hidePanelTitles": False}),
        "kibanaSavedObjectMeta": _source(),
    }
    references = [{"name": f"panel_{i}", "type": part["type"], "id": part["id"]} for i, part in enumerate(parts)]
    return _object(alias, "dashboard", "dashboard", attributes, references)


def _panel(number: int, wide: bool) -> dict[str, Any]:
    column, line = (0, 0) if number == 0 else ((number - 1) % 2, 1 + (number - 1) // 2)
    place = {"x": 24 * column, "y": 15 * line, "w": _COLUMNS_WIDE if wide else 24, "h": 15, "i": str(number)}
    return {
        "version": "2.11.0",
        "panelIndex": str(number),
        "panelRefName": f"panel_{number}",
        "gridData": place,
        "embeddableConfig": {},
    }
