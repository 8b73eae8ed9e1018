"""The questions people ask of their logs: of OpenSearch for the last days, of the archive for all time.

Every function shows its query and returns a small pandas DataFrame; its columns are named in the docstring. Times are
UTC (`datetime64[ns, UTC]`). Values travel as parameters or as JSON, never pasted into a query.
"""

from typing import Any

import pandas as pd
from opensearchpy import OpenSearch
from pyspark.sql import DataFrame, SparkSession

from dualsink.questions import ERRORS, Question, of_levels, of_trace
from dualsink.settings import Settings
from dualsink.timeline import bar_width

HIT = ["timestamp", "level", "service", "host", "message"]
LEVEL_COUNTS = ["time", "level", "events"]
DAY_COUNTS = ["day", "events"]

# -- OpenSearch: through the alias, newest first -------------------------------------------------------


def ask(client: OpenSearch, settings: Settings, question: Question, size: int = 20) -> pd.DataFrame:
    """The newest events that answer a question, asked in the query DSL, at most `size`. Columns: HIT."""
    return _hits(client, settings, question.dsl, size)


def by_query_string(client: OpenSearch, settings: Settings, text: str, size: int = 20) -> pd.DataFrame:
    """Events that match a query string (Lucene syntax), such as people type in Dashboards. Columns: HIT.

    Build values of others into `text` with `questions.quoted`.
    """
    query = {"query_string": {"query": text, "default_field": "message", "allow_leading_wildcard": False}}
    return _hits(client, settings, query, size)


def busiest_service(client: OpenSearch, settings: Settings, levels: tuple[str, ...] = ("ERROR", "WARN")) -> str | None:
    """The service with the most events at `levels`; None where there is none."""
    body = {
        "size": 0,
        "query": {"terms": {"level": levels}},
        "aggs": {"services": {"terms": {"field": "service", "size": 1}}},
    }
    answer = _search(client, settings, body)
    buckets = answer.get("aggregations", {}).get("services", {}).get("buckets", [])
    return buckets[0]["key"] if buckets else None


def widest_trace(client: OpenSearch, settings: Settings, sample: int = 10_000) -> str | None:
    """Id of the trace that visits the most services among `sample` events a shard; None where no event has one."""
    visits = {
        "terms": {"field": "trace_id", "size": 1, "order": [{"services": "desc"}, {"_key": "asc"}]},
        "aggs": {"services": {"cardinality": {"field": "service"}}},
    }
    body = {
        "size": 0,
        "query": {"exists": {"field": "trace_id"}},
        "aggs": {"sample": {"sampler": {"shard_size": sample}, "aggs": {"traces": visits}}},
    }
    answer = _search(client, settings, body)
    buckets = answer.get("aggregations", {}).get("sample", {}).get("traces", {}).get("buckets", [])
    return buckets[0]["key"] if buckets else None


def trace(client: OpenSearch, settings: Settings, trace_id: str, size: int = 1000) -> pd.DataFrame:
    """One request's way through the services, oldest event first. Columns: HIT and span_id."""
    return _hits(client, settings, of_trace(trace_id).dsl, size, columns=[*HIT, "span_id"], order="asc")


def levels_over_time(client: OpenSearch, settings: Settings) -> pd.DataFrame:
    """Events by level in equal steps of time, about sixty for the whole hot tier. Columns: LEVEL_COUNTS."""
    first, last = _time_range(client, settings)
    if first is None:
        return _counts([], LEVEL_COUNTS)
    step = int(bar_width(first, last).total_seconds())
    steps = {
        "date_histogram": {"field": "timestamp", "fixed_interval": f"{step}s", "min_doc_count": 1},
        "aggs": {"levels": {"terms": {"field": "level", "size": 20}}},
    }
    found = _search(client, settings, {"size": 0, "aggs": {"steps": steps}})
    rows = [
        (bucket["key"], level["key"], level["doc_count"])
        for bucket in found["aggregations"]["steps"]["buckets"]
        for level in bucket["levels"]["buckets"]
    ]
    return _counts(rows, LEVEL_COUNTS)


def events_per_day(client: OpenSearch, settings: Settings) -> pd.DataFrame:
    """Documents by event day (UTC). Columns: DAY_COUNTS."""
    days = {"date_histogram": {"field": "timestamp", "calendar_interval": "day", "min_doc_count": 1}}
    found = _search(client, settings, {"size": 0, "aggs": {"days": days}})
    buckets = found.get("aggregations", {}).get("days", {}).get("buckets", [])
    return _counts([(bucket["key"], bucket["doc_count"]) for bucket in buckets], DAY_COUNTS)


def newest_ids(client: OpenSearch, settings: Settings, size: int = 5) -> pd.DataFrame:
    """Where the documents that arrived last are kept. Columns: index, id."""
    body = {"size": size, "_source": False, "sort": [{"kafka_timestamp": "desc"}, {"offset": "desc"}]}
    hits = _search(client, settings, body)["hits"]["hits"]
    return pd.DataFrame([(hit["_index"], hit["_id"]) for hit in hits], columns=["index", "id"])


def documents(client: OpenSearch, settings: Settings) -> int:
    """How many documents there are."""
    return _search(client, settings, {"size": 0, "track_total_hits": True})["hits"]["total"]["value"]


def _search(client: OpenSearch, settings: Settings, body: dict[str, Any]) -> dict[str, Any]:
    """OpenSearch's answer; an empty one, without aggregations, where no day has an index yet."""
    return client.search(index=settings.opensearch_index, body=body, params={"ignore_unavailable": "true"})


def _hits(
    client: OpenSearch,
    settings: Settings,
    query: dict[str, Any],
    size: int,
    columns: list[str] = HIT,
    order: str = "desc",
) -> pd.DataFrame:
    """Documents that match; the attribute `total` of the frame's `attrs` counts all of them."""
    body = {
        "query": query,
        "size": size,
        "sort": [{"timestamp": order}, {"offset": order}],
        "_source": columns,
        "track_total_hits": True,
    }
    found = _search(client, settings, body)["hits"]
    frame = pd.DataFrame([hit["_source"] for hit in found["hits"]], columns=columns)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True, format="ISO8601")
    frame.attrs["total"] = found["total"]["value"]
    return frame


def _time_range(client: OpenSearch, settings: Settings) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    ends = {name: {name: {"field": "timestamp"}} for name in ("min", "max")}
    found = _search(client, settings, {"size": 0, "aggs": ends}).get("aggregations", {})
    values = [found.get(name, {}).get("value") for name in ("min", "max")]
    return tuple(None if v is None else pd.Timestamp(v, unit="ms", tz="UTC") for v in values)


# -- the archive: Spark SQL on the Iceberg table -------------------------------------------------------


def ask_archive(spark: SparkSession, settings: Settings, question: Question, limit: int = 20) -> pd.DataFrame:
    """The newest events of all time that answer a question. Columns: HIT; `attrs["total"]` counts all of them."""
    condition = f"FROM {settings.archive_table} WHERE {question.sql}"
    total = spark.sql(f"SELECT count(*) AS events {condition}", args=question.args).first().events
    newest = f"SELECT {', '.join(HIT)} {condition} ORDER BY timestamp DESC, `offset` DESC LIMIT :limit"
    frame = _frame(spark.sql(newest, args=question.args | {"limit": limit}))
    frame.attrs["total"] = total
    return frame


def latest(spark: SparkSession, settings: Settings, limit: int = 20) -> pd.DataFrame:
    """The latest events. Columns: HIT."""
    return _frame(
        spark.sql(
            f"""SELECT timestamp, level, service, host, message
                FROM {settings.archive_table} ORDER BY timestamp DESC, `offset` DESC LIMIT :limit""",
            args={"limit": limit},
        )
    )


def errors_per_service(spark: SparkSession, settings: Settings) -> pd.DataFrame:
    """Who fails, and on how many machines. Columns: service, errors, hosts (distinct), last_seen; most errors first."""
    errors, args = of_levels(ERRORS)
    return _frame(
        spark.sql(
            f"""SELECT service, count(*) AS errors, count(DISTINCT host) AS hosts, max(timestamp) AS last_seen
                FROM {settings.archive_table} WHERE {errors}
                GROUP BY service ORDER BY errors DESC, service""",
            args=args,
        )
    )


def levels_in_archive(spark: SparkSession, settings: Settings) -> pd.DataFrame:
    """Events by level in equal steps of time, about sixty for the newest `hot_days` days. Columns: LEVEL_COUNTS."""
    recent = f"FROM {settings.archive_table} WHERE timestamp >= current_date() - make_dt_interval(:days)"
    args: dict[str, Any] = {"days": settings.hot_days}
    ends = spark.sql(f"SELECT min(timestamp) AS first, max(timestamp) AS last {recent}", args=args).first()
    if ends.first is None:
        return _counts([], LEVEL_COUNTS)
    step = int(bar_width(ends.first, ends.last).total_seconds())
    return _frame(
        spark.sql(
            f"""SELECT timestamp_seconds(floor(unix_seconds(timestamp) / :step) * :step) AS time, level,
                       count(*) AS events {recent} GROUP BY time, level ORDER BY time, level""",
            args=args | {"step": step},
        )
    )


def days_in_archive(spark: SparkSession, settings: Settings) -> pd.DataFrame:
    """Rows by event day (UTC). Columns: DAY_COUNTS."""
    rows = spark.sql(
        f"""SELECT unix_millis(date_trunc('DAY', timestamp)) AS day, count(*) AS events
            FROM {settings.archive_table} GROUP BY day ORDER BY day"""
    )
    return _counts([tuple(row) for row in rows.collect()], DAY_COUNTS)


def partitions(spark: SparkSession, settings: Settings) -> pd.DataFrame:
    """The table's partitions, from its metadata alone. Columns: day (UTC), events, files, mebibytes, last_updated."""
    return _frame(
        spark.sql(
            f"""SELECT partition.timestamp_day AS day, record_count AS events, file_count AS files,
                       round(total_data_file_size_in_bytes / 1048576, 3) AS mebibytes, last_updated_at AS last_updated
                FROM {settings.archive_table}.partitions ORDER BY day DESC"""
        )
    )


def files(spark: SparkSession, settings: Settings, limit: int = 20) -> pd.DataFrame:
    """The table's largest data files. Columns: day (UTC), file (its name without the folder), events, kibibytes."""
    return _frame(
        spark.sql(
            f"""SELECT partition.timestamp_day AS day, element_at(split(file_path, '/'), -1) AS file,
                       record_count AS events, round(file_size_in_bytes / 1024, 1) AS kibibytes
                FROM {settings.archive_table}.files ORDER BY file_size_in_bytes DESC, file LIMIT :limit""",
            args={"limit": limit},
        )
    )


def snapshots(spark: SparkSession, settings: Settings, limit: int = 20) -> pd.DataFrame:
    """The table's newest states. Columns: snapshot_id, parent_id, committed_at, operation, batch, added.

    `batch` is the marker that the stream leaves in each snapshot, by which it knows a batch that it has written.
    """
    return _frame(
        spark.sql(
            f"""SELECT CAST(snapshot_id AS STRING) AS snapshot_id, CAST(parent_id AS STRING) AS parent_id, committed_at,
                       operation, summary['dualsink.batch-id'] AS batch, summary['added-records'] AS added
                FROM {settings.archive_table}.snapshots ORDER BY committed_at DESC LIMIT :limit""",
            args={"limit": limit},
        )
    )


def time_travel(spark: SparkSession, settings: Settings) -> pd.DataFrame:
    """What the table held before the last commit, and what it holds now. Columns: version, snapshot_id, events, latest.

    One row (`now`) where the table has no earlier snapshot, none where it has no snapshot at all.
    """
    table = settings.archive_table
    current = spark.sql(f"SELECT snapshot_id, parent_id FROM {table}.history ORDER BY made_current_at DESC").first()
    if current is None:
        return pd.DataFrame(columns=["version", "snapshot_id", "events", "latest"])
    versions = {"now": current.snapshot_id, "before": current.parent_id}
    rows = [
        spark.sql(
            f"""SELECT '{name}' AS version, '{snapshot}' AS snapshot_id, count(*) AS events, max(timestamp) AS latest
                FROM {table} VERSION AS OF {snapshot}"""
        )
        for name, snapshot in versions.items()
        if snapshot is not None
    ]
    return pd.concat([_frame(row) for row in rows], ignore_index=True)


# -- both ----------------------------------------------------------------------------------------------


def counts_side_by_side(spark: SparkSession, client: OpenSearch, settings: Settings) -> pd.DataFrame:
    """Events, errors and event days of both stores. Columns: what, archive, archive_hot, opensearch.

    `archive_hot` counts the hot window: today and the `hot_days` days before it (UTC), for events that arrived at most
    so late.
    """
    row = spark.sql(
        f"""SELECT count(*) AS events, count_if(error) AS errors, count(DISTINCT day) AS days,
                   count_if(hot) AS hot_events, count_if(hot AND error) AS hot_errors,
                   count(DISTINCT CASE WHEN hot THEN day END) AS hot_days
            FROM (SELECT to_date(timestamp) AS day, array_contains(:levels, level) AS error,
                         to_date(timestamp) >= date_sub(current_date(), :days)
                         AND datediff(kafka_timestamp, timestamp) <= :days AS hot
                  FROM {settings.archive_table})""",
        args={"levels": list(ERRORS), "days": settings.hot_days},
    ).first()
    found = _counts_in_opensearch(client, settings)
    return pd.DataFrame(
        [(what, row[what], row[f"hot_{what}"], found[what]) for what in ("events", "errors", "days")],
        columns=["what", "archive", "archive_hot", "opensearch"],
    )


def _counts_in_opensearch(client: OpenSearch, settings: Settings) -> dict[str, int]:
    """Over the hot window alone: an index that waits for its deletion does not count."""
    body = {
        "size": 0,
        "track_total_hits": True,
        "query": {"range": {"timestamp": {"gte": f"now-{settings.hot_days}d/d"}}},
        "aggs": {
            "errors": {"filter": {"terms": {"level": ERRORS}}},
            "days": {"date_histogram": {"field": "timestamp", "calendar_interval": "day", "min_doc_count": 1}},
        },
    }
    answer = _search(client, settings, body)
    found = answer.get("aggregations", {})
    return {
        "events": answer["hits"]["total"]["value"],
        "errors": found.get("errors", {}).get("doc_count", 0),
        "days": len(found.get("days", {}).get("buckets", [])),
    }


# -- frames --------------------------------------------------------------------------------------------


def _frame(rows: DataFrame) -> pd.DataFrame:
    """Rows as pandas; Spark's session time zone is UTC, so its times are marked as such."""
    frame = rows.toPandas()
    for name in frame.select_dtypes("datetime").columns:
        frame[name] = frame[name].dt.tz_localize("UTC")
    return frame


def _counts(rows: list[tuple], columns: list[str]) -> pd.DataFrame:
    """Counts by a time given in epoch milliseconds in the first column."""
    frame = pd.DataFrame(rows, columns=columns)
    frame[columns[0]] = pd.to_datetime(frame[columns[0]], unit="ms", utc=True)
    return frame.astype({"events": "int64"})
