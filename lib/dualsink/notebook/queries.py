"""Questions that people ask of their logs.

Of OpenSearch for the last days, of the archive for all time. Every function returns a small pandas DataFrame of what is
behind an alias, or in the archive's table; its columns are named in the docstring. Times are UTC (`datetime64[ns,
UTC]`). Values travel as parameters or as JSON, never pasted into a query.
"""

from typing import Any

import pandas as pd
from opensearchpy import OpenSearch
from pyspark.sql import DataFrame, SparkSession

from dualsink.opensearch import reader
from dualsink.opensearch.hot_tier import HotTier
from dualsink.opensearch.questions import ERRORS, Question, of_levels
from dualsink.timeline import bar_width

HIT = ["timestamp", "level", "service", "host", "message"]
LEVEL_COUNTS = ["time", "level", "events"]
DAY_COUNTS = ["day", "events"]

# -- OpenSearch: through the alias, newest first -------------------------------------------------------


def hits(client: OpenSearch, alias: str, body: dict[str, Any]) -> pd.DataFrame:
    """Return events that match the body of a search.

    Newest first and twenty at most if it does not say otherwise. Columns: HIT. The attribute `total` of the frame's
    `attrs` counts also the events that are not shown.
    """
    newest = {"sort": [{"timestamp": "desc"}, {"offset": "desc"}], "size": 20}
    found = _search(client, alias, newest | body | {"_source": HIT, "track_total_hits": True})["hits"]
    frame = pd.DataFrame([hit["_source"] for hit in found["hits"]], columns=HIT)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True, format="ISO8601")
    frame.attrs["total"] = found["total"]["value"]
    return frame


def ask(client: OpenSearch, alias: str, question: Question, size: int = 20) -> pd.DataFrame:
    """Return the newest events that answer a question.

    It is asked in the query DSL; `size` events at most. Columns: HIT.
    """
    return hits(client, alias, {"query": question.dsl, "size": size})


def by_query_string(client: OpenSearch, alias: str, text: str, size: int = 20) -> pd.DataFrame:
    """Return events that match a query string.

    The syntax is Lucene's, which people type in Dashboards. Build values of others into `text` with `questions.quoted`.
    Columns: HIT.
    """
    query = {"query_string": {"query": text, "default_field": "message", "allow_leading_wildcard": False}}
    return hits(client, alias, {"query": query, "size": size})


def busiest_service(client: OpenSearch, alias: str, levels: tuple[str, ...] = ("ERROR", "WARN")) -> str | None:
    """Return the service with the most events, None without any.

    Only events at `levels` count.
    """
    body = {
        "size": 0,
        "query": {"terms": {"level": levels}},
        "aggs": {"services": {"terms": {"field": "service", "size": 1}}},
    }
    answer = _search(client, alias, body)
    buckets = answer.get("aggregations", {}).get("services", {}).get("buckets", [])
    return buckets[0]["key"] if buckets else None


def widest_trace(client: OpenSearch, alias: str, sample: int = 10_000) -> str | None:
    """Return the id of the trace over the most services.

    Among `sample` events a shard; None if no event has a trace.
    """
    visits = {
        "terms": {"field": "trace_id", "size": 1, "order": [{"services": "desc"}, {"_key": "asc"}]},
        "aggs": {"services": {"cardinality": {"field": "service"}}},
    }
    body = {
        "size": 0,
        "query": {"exists": {"field": "trace_id"}},
        "aggs": {"sample": {"sampler": {"shard_size": sample}, "aggs": {"traces": visits}}},
    }
    answer = _search(client, alias, body)
    buckets = answer.get("aggregations", {}).get("sample", {}).get("traces", {}).get("buckets", [])
    return buckets[0]["key"] if buckets else None


def levels_over_time(client: OpenSearch, alias: str) -> pd.DataFrame:
    """Count events by level in equal steps of time.

    The whole hot tier has about sixty steps. Columns: LEVEL_COUNTS.
    """
    first, last = _time_range(client, alias)
    if first is None:
        return _counts([], LEVEL_COUNTS)
    step = int(bar_width(first, last).total_seconds())
    steps = {
        "date_histogram": {"field": "timestamp", "fixed_interval": f"{step}s", "min_doc_count": 1},
        "aggs": {"levels": {"terms": {"field": "level", "size": 20}}},
    }
    found = _search(client, alias, {"size": 0, "aggs": {"steps": steps}})
    rows = [
        (bucket["key"], level["key"], level["doc_count"])
        for bucket in found["aggregations"]["steps"]["buckets"]
        for level in bucket["levels"]["buckets"]
    ]
    return _counts(rows, LEVEL_COUNTS)


def events_per_day(client: OpenSearch, alias: str) -> pd.DataFrame:
    """Count documents by event day (UTC). Columns: DAY_COUNTS."""
    days = {"date_histogram": {"field": "timestamp", "calendar_interval": "day", "min_doc_count": 1}}
    found = _search(client, alias, {"size": 0, "aggs": {"days": days}})
    buckets = found.get("aggregations", {}).get("days", {}).get("buckets", [])
    return _counts([(bucket["key"], bucket["doc_count"]) for bucket in buckets], DAY_COUNTS)


def newest_ids(client: OpenSearch, alias: str, size: int = 5) -> pd.DataFrame:
    """Return index and id of the newest documents.

    The newest are those that arrived last. Columns: index, id.
    """
    body = {"size": size, "_source": False, "sort": [{"kafka_timestamp": "desc"}, {"offset": "desc"}]}
    hits = _search(client, alias, body)["hits"]["hits"]
    return pd.DataFrame([(hit["_index"], hit["_id"]) for hit in hits], columns=["index", "id"])


def documents(client: OpenSearch, alias: str) -> int:
    """Count the documents."""
    return _search(client, alias, {"size": 0, "track_total_hits": True})["hits"]["total"]["value"]


def _search(client: OpenSearch, alias: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return OpenSearch's answer.

    An empty one, without aggregations, where no day has an index yet.
    """
    return reader.search(client, alias, body)


def _time_range(client: OpenSearch, alias: str) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    ends = {name: {name: {"field": "timestamp"}} for name in ("min", "max")}
    found = _search(client, alias, {"size": 0, "aggs": ends}).get("aggregations", {})
    values = [found.get(name, {}).get("value") for name in ("min", "max")]
    return tuple(None if v is None else pd.Timestamp(v, unit="ms", tz="UTC") for v in values)


# -- the archive: Spark SQL on the Iceberg table -------------------------------------------------------


def latest(spark: SparkSession, archive: str, limit: int = 20) -> pd.DataFrame:
    """Return the latest events of the archive. Columns: HIT."""
    return _frame(
        spark.sql(
            f"""SELECT timestamp, level, service, host, message
                FROM {archive} ORDER BY timestamp DESC, `offset` DESC LIMIT :limit""",
            args={"limit": limit},
        )
    )


def errors_per_service(spark: SparkSession, archive: str) -> pd.DataFrame:
    """Count errors and machines by service.

    The service with most errors comes first. Columns: service, errors, hosts (distinct), last_seen.
    """
    errors, args = of_levels(ERRORS)
    return _frame(
        spark.sql(
            f"""SELECT service, count(*) AS errors, count(DISTINCT host) AS hosts, max(timestamp) AS last_seen
                FROM {archive} WHERE {errors}
                GROUP BY service ORDER BY errors DESC, service""",
            args=args,
        )
    )


def days_in_archive(spark: SparkSession, archive: str) -> pd.DataFrame:
    """Count rows by event day (UTC). Columns: DAY_COUNTS."""
    rows = spark.sql(
        f"""SELECT unix_millis(date_trunc('DAY', timestamp)) AS day, count(*) AS events
            FROM {archive} GROUP BY day ORDER BY day"""
    )
    return _counts([tuple(row) for row in rows.collect()], DAY_COUNTS)


def partitions(spark: SparkSession, archive: str) -> pd.DataFrame:
    """Return the table's partitions, from its metadata alone.

    Columns: day (UTC), events, files, mebibytes, last_updated.
    """
    return _frame(
        spark.sql(
            f"""SELECT partition.timestamp_day AS day, record_count AS events, file_count AS files,
                       round(total_data_file_size_in_bytes / 1048576, 3) AS mebibytes, last_updated_at AS last_updated
                FROM {archive}.partitions ORDER BY day DESC"""
        )
    )


# -- both ----------------------------------------------------------------------------------------------


def counts_side_by_side(spark: SparkSession, client: OpenSearch, archive: str, hot: HotTier) -> pd.DataFrame:
    """Count events, errors and event days of both stores.

    Columns: what, archive, archive_hot, opensearch. `archive_hot` counts the hot window: today and the days before it
    that the hot tier keeps (UTC).
    """
    row = spark.sql(
        f"""SELECT count(*) AS events, count_if(error) AS errors, count(DISTINCT day) AS days,
                   count_if(hot) AS hot_events, count_if(hot AND error) AS hot_errors,
                   count(DISTINCT CASE WHEN hot THEN day END) AS hot_days
            FROM (SELECT to_date(timestamp) AS day, array_contains(:levels, level) AS error,
                         to_date(timestamp) >= date_sub(current_date(), :days) AS hot
                  FROM {archive})""",
        args={"levels": list(ERRORS), "days": hot.days},
    ).first()
    found = _counts_in_opensearch(client, hot)
    return pd.DataFrame(
        [(what, row[what], row[f"hot_{what}"], found[what]) for what in ("events", "errors", "days")],
        columns=["what", "archive", "archive_hot", "opensearch"],
    )


def _counts_in_opensearch(client: OpenSearch, hot: HotTier) -> dict[str, int]:
    """Count over the hot window alone.

    An index that waits for its deletion does not count.
    """
    body = {
        "size": 0,
        "track_total_hits": True,
        "query": {"range": {"timestamp": {"gte": f"now-{hot.days}d/d"}}},
        "aggs": {
            "errors": {"filter": {"terms": {"level": ERRORS}}},
            "days": {"date_histogram": {"field": "timestamp", "calendar_interval": "day", "min_doc_count": 1}},
        },
    }
    answer = _search(client, hot.alias, body)
    found = answer.get("aggregations", {})
    return {
        "events": answer["hits"]["total"]["value"],
        "errors": found.get("errors", {}).get("doc_count", 0),
        "days": len(found.get("days", {}).get("buckets", [])),
    }


# -- frames --------------------------------------------------------------------------------------------


def _frame(rows: DataFrame) -> pd.DataFrame:
    """Return rows as pandas, their times marked as UTC.

    UTC is Spark's session time zone.
    """
    frame = rows.toPandas()
    for name in frame.select_dtypes("datetime").columns:
        frame[name] = frame[name].dt.tz_localize("UTC")
    return frame


def _counts(rows: list[tuple], columns: list[str]) -> pd.DataFrame:
    """Return counts by time as a frame.

    The time is epoch milliseconds in the first column.
    """
    frame = pd.DataFrame(rows, columns=columns)
    frame[columns[0]] = pd.to_datetime(frame[columns[0]], unit="ms", utc=True)
    return frame.astype({"events": "int64"})
