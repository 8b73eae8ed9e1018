"""Questions of Dashboards users, each in four query languages.

- `dql`: Dashboards' own language, the search bar's default. Words are `and`, `or`; a range is `timestamp >= now-1h`.
- `lucene`: the query string, the search bar's other language and OpenSearch's `query_string`. Words are `AND`, `OR`, in
  capitals; a range is `timestamp:[now-1h TO now]`.
- `dsl`: the query DSL, as programs should ask: structure, so that nothing has to be escaped.
- `sql`: the condition that asks the archive the same, with `args`, in words that Spark SQL and Trino share.

All four find the same events; tests ask each of the live stores.
"""

import re
from dataclasses import dataclass, field
from typing import Any

ERRORS = ("ERROR", "FATAL")


@dataclass(frozen=True)
class Question:
    """One question in all its forms."""

    title: str
    dql: str
    lucene: str
    dsl: dict[str, Any]
    sql: str
    args: dict[str, Any] = field(default_factory=dict)


def quoted(value: str) -> str:
    """Quote `value` as one term of DQL or Lucene.

    Only the quote and the backslash need escaping.
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def errors_of_last_hour() -> Question:
    """Ask for ERROR and FATAL events of the last hour.

    The hour is by the server's clock.
    """
    levels = " or ".join(ERRORS)
    errors, args = of_levels(ERRORS)
    return Question(
        title="Errors of the last hour",
        dql=f"level : ({levels}) and timestamp >= now-1h and timestamp <= now",
        lucene=f"level:({' OR '.join(ERRORS)}) AND timestamp:[now-1h TO now]",
        dsl=_all({"terms": {"level": ERRORS}}, {"range": {"timestamp": {"gte": "now-1h", "lte": "now"}}}),
        sql=f"{errors} AND timestamp BETWEEN now() - INTERVAL '1' HOUR AND now()",
        args=args,
    )


def with_phrase(phrase: str) -> Question:
    """Ask for messages with the words of `phrase`.

    The words must be next to each other, in any case.
    """
    return Question(
        title=f"Messages that say “{phrase}”",
        dql=f"message : {quoted(phrase)}",
        lucene=f"message:{quoted(phrase)}",
        dsl={"match_phrase": {"message": phrase}},
        sql="regexp_like(lower(message), :words)",
        args={"words": words_pattern(phrase)},
    )


def of_service(service: str, levels: tuple[str, ...] = ("ERROR", "WARN")) -> Question:
    """Ask for events of one service and some `levels`."""
    chosen, args = of_levels(levels)
    return Question(
        title=f"{', '.join(levels)} of {service}",
        dql=f"service : {quoted(service)} and level : ({' or '.join(levels)})",
        lucene=f"service:{quoted(service)} AND level:({' OR '.join(levels)})",
        dsl=_all({"term": {"service": service}}, {"terms": {"level": levels}}),
        sql=f"service = :service AND {chosen}",
        args={"service": service} | args,
    )


def of_trace(trace_id: str) -> Question:
    """Ask for every event of one request, across services."""
    return Question(
        title=f"Trace {trace_id}",
        dql=f"trace_id : {quoted(trace_id)}",
        lucene=f"trace_id:{quoted(trace_id)}",
        dsl={"term": {"trace_id": trace_id}},
        sql="trace_id = :trace",
        args={"trace": trace_id},
    )


def with_exception(name: str, since: str = "24h") -> Question:
    """Ask for stack traces that name an exception.

    Events of the last `since` (such as `90m`, `24h`, `7d`) count.
    """
    number, unit = int(since[:-1]), {"m": "MINUTE", "h": "HOUR", "d": "DAY"}[since[-1]]
    return Question(
        title=f"Stack traces with {name}",
        dql=f"stack_trace : {quoted(name)} and timestamp >= now-{since}",
        lucene=f"stack_trace:{quoted(name)} AND timestamp:>=now-{since}",
        dsl=_all({"match_phrase": {"stack_trace": name}}, {"range": {"timestamp": {"gte": f"now-{since}"}}}),
        sql=f"regexp_like(lower(stack_trace), :words) AND timestamp >= now() - INTERVAL '{number}' {unit}",
        args={"words": words_pattern(name)},
    )


def without_noise(service: str) -> Question:
    """Ask for what one service says above DEBUG."""
    quiet, args = of_levels(("DEBUG", "TRACE"))
    return Question(
        title=f"{service} without DEBUG",
        dql=f"service : {quoted(service)} and not level : (DEBUG or TRACE)",
        lucene=f"service:{quoted(service)} AND NOT level:(DEBUG OR TRACE)",
        dsl={
            "bool": {
                "filter": [{"term": {"service": service}}],
                "must_not": [{"terms": {"level": ["DEBUG", "TRACE"]}}],
            }
        },
        sql=f"service = :service AND NOT {quiet}",
        args={"service": service} | args,
    )


def of_levels(levels: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Return the SQL condition on `levels`, and its parameters."""
    args = {f"level_{number}": level for number, level in enumerate(levels)}
    return f"level IN ({', '.join(f':{name}' for name in args)})", args


def words_pattern(phrase: str) -> str:
    """Return a regular expression for a phrase.

    For lower-cased text: the words of `phrase` next to each other, as the analyzer sees words.

    It is written for both Java's and RE2's dialect, so Spark, Trino and DuckDB read it alike.
    """
    other = r"[^\p{L}\p{N}_]"
    words = f"{other}+".join(re.escape(word) for word in re.findall(r"\w+", phrase.lower()))
    return f"(^|{other}){words}($|{other})"


def all_questions(service: str, trace_id: str) -> dict[str, Question]:
    """Return every question by name, for a service and trace."""
    return {
        "errors-last-hour": errors_of_last_hour(),
        "phrase": with_phrase("upstream unavailable"),
        "service-levels": of_service(service),
        "trace": of_trace(trace_id),
        "exception": with_exception("SocketTimeoutException"),
        "without-noise": without_noise(service),
    }


def _all(*filters: dict[str, Any]) -> dict[str, Any]:
    """Combine all conditions as filters.

    They need no score, and OpenSearch caches them.
    """
    return {"bool": {"filter": list(filters)}}
