"""Alerts from the hot tier: rules in YAML, told once when they begin, again after `repeat`, and when they end.

What was told is remembered in a file, so that a run after a restart, or `alerts` from a scheduler, tells nothing twice.
"""

import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import requests
import yaml
from opensearchpy import OpenSearch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dualsink.errors import ServiceUnavailable, SettingsError
from dualsink.questions import ERRORS, with_phrase
from dualsink.settings import Settings

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST_SERVICES = 1_000
Say = Callable[[str], None]


def _span(value: Any) -> Any:
    found = re.fullmatch(r"(\d+)([smhd])", str(value))
    if not found:
        raise ValueError("must be a time such as 30s, 5m, 2h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Span = Annotated[timedelta, BeforeValidator(_span)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorRate(_Model):
    """Fires for each service of whose events in the window (`at_least` of them) more than `above` are errors."""

    name: str
    kind: Literal["error_rate"]
    window: Span
    above: float = Field(ge=0, lt=1)
    at_least: int = Field(20, ge=1)


class Phrase(_Model):
    """Fires for each service with `at_least` messages in the window that hold the words of `phrase` side by side."""

    name: str
    kind: Literal["phrase"]
    window: Span
    phrase: str = Field(min_length=1)
    at_least: int = Field(1, ge=1)


class Silence(_Model):
    """Fires for each of `services` without an event in the window; without a list, for each that spoke in `since`."""

    name: str
    kind: Literal["silence"]
    window: Span
    services: list[str] = []
    since: Span = timedelta(days=1)


Rule = Annotated[ErrorRate | Phrase | Silence, Field(discriminator="kind")]


class Rules(_Model):
    """A rules file."""

    webhook_env: str = "DUALSINK_ALERT_WEBHOOK"
    repeat: Span = timedelta(hours=1)
    rules: list[Rule] = Field(min_length=1)


@dataclass(frozen=True)
class Alert:
    """One rule that fires for one service."""

    rule: str
    service: str
    text: str

    @property
    def key(self) -> str:
        """What makes it the same alert the next time."""
        return f"{self.rule}/{self.service}"


def read_rules(file: Path) -> Rules:
    """The rules of a YAML file. Raises SettingsError naming the file and what is wrong in it."""
    try:
        found = Rules.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"Cannot read the rules {file}: {error}") from None
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SettingsError(f"The rules {file} cannot be used:\n" + "\n".join(lines)) from None
    names = [rule.name for rule in found.rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"The rules {file} use a name twice: {', '.join(twice)}.")
    return found


# -- evaluating --------------------------------------------------------------------------------------


def evaluate(client: OpenSearch, settings: Settings, rules: Rules) -> list[Alert]:
    """Every alert that fires now, by the server's clock."""
    judges = {"error_rate": _error_rate, "phrase": _phrase, "silence": _silence}
    return [alert for rule in rules.rules for alert in judges[rule.kind](client, settings, rule)]


def _error_rate(client: OpenSearch, settings: Settings, rule: ErrorRate) -> list[Alert]:
    counts = _by_service(client, settings, rule.window)
    errors = _by_service(client, settings, rule.window, {"terms": {"level": ERRORS}})
    return [
        Alert(rule.name, service, f"{errors[service]:,} of {events:,} events are errors in {_told(rule.window)}")
        for service, events in counts.items()
        if events >= rule.at_least and errors.get(service, 0) > rule.above * events
    ]


def _phrase(client: OpenSearch, settings: Settings, rule: Phrase) -> list[Alert]:
    counts = _by_service(client, settings, rule.window, with_phrase(rule.phrase).dsl)
    return [
        Alert(rule.name, service, f"{count:,} times “{rule.phrase}” in {_told(rule.window)}")
        for service, count in counts.items()
        if count >= rule.at_least
    ]


def _silence(client: OpenSearch, settings: Settings, rule: Silence) -> list[Alert]:
    heard = _by_service(client, settings, rule.window)
    expected = rule.services or list(_by_service(client, settings, rule.since))
    return [Alert(rule.name, name, f"no event in {_told(rule.window)}") for name in expected if name not in heard]


def _by_service(
    client: OpenSearch, settings: Settings, window: timedelta, query: dict[str, Any] | None = None
) -> dict[str, int]:
    recent = {"range": {"timestamp": {"gte": f"now-{window.total_seconds():.0f}s", "lte": "now"}}}
    body = {
        "size": 0,
        "query": {"bool": {"filter": [recent, *([query] if query else [])]}},
        "aggs": {"services": {"terms": {"field": "service", "size": _MOST_SERVICES}}},
    }
    found = client.search(index=settings.opensearch_index, body=body, params={"ignore_unavailable": "true"})
    buckets = found.get("aggregations", {}).get("services", {}).get("buckets", [])
    return {bucket["key"]: bucket["doc_count"] for bucket in buckets}


def _told(window: timedelta) -> str:
    seconds = int(window.total_seconds())
    name, size = next((n, s) for n, s in {"d": 86400, "h": 3600, "m": 60, "s": 1}.items() if seconds % s == 0)
    return f"{seconds // size}{name}"


# -- telling -----------------------------------------------------------------------------------------


def run_once(client: OpenSearch, settings: Settings, rules: Rules, say: Say) -> list[dict[str, str]]:
    """Evaluate and tell what is new: print it, and send it to the webhook. Returns what was told.

    What a webhook did not take is told again the next time; raises ServiceUnavailable after everything was tried.
    """
    memory, now = Memory(settings.data_path / "alerts.json"), datetime.now(UTC)
    fresh = memory.news(evaluate(client, settings, rules), now, rules.repeat)
    address, failed = os.environ.get(rules.webhook_env), []
    for notice in fresh:
        say("{status:8} {rule}: {service}: {text}".format(**notice))
        if address is None or _sent(address, notice | {"at": now.isoformat(timespec="seconds")}):
            memory.remember(notice, now)
        else:
            failed.append(notice)
    if failed:
        raise ServiceUnavailable(
            f"The webhook in {rules.webhook_env} did not take {len(failed)} of {len(fresh)} alerts."
        )
    return fresh


def _sent(address: str, notice: dict[str, str]) -> bool:
    try:
        return requests.post(address, json=notice, timeout=10).ok
    except requests.RequestException:
        return False


class Memory:
    """What was told and when, in a file; a file that cannot be read is an empty one."""

    def __init__(self, file: Path):
        self._file = file
        try:
            self._told: dict[str, dict[str, str]] = orjson.loads(file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            self._told = {}

    def news(self, alerts: list[Alert], now: datetime, repeat: timedelta) -> list[dict[str, str]]:
        """Alerts that began or are due again, and those told before that have ended."""
        firing = {alert.key: alert for alert in alerts}
        due = [
            {"status": "firing", **asdict(alert)}
            for key, alert in firing.items()
            if key not in self._told or now - datetime.fromisoformat(self._told[key]["at"]) >= repeat
        ]
        over = [told for key, told in self._told.items() if key not in firing]
        return due + [{"status": "resolved", "rule": t["rule"], "service": t["service"], "text": "over"} for t in over]

    def remember(self, notice: dict[str, str], now: datetime) -> None:
        """Keep what was told; what is resolved is forgotten."""
        key = f"{notice['rule']}/{notice['service']}"
        if notice["status"] == "resolved":
            self._told.pop(key, None)
        else:
            self._told[key] = {"rule": notice["rule"], "service": notice["service"], "at": now.isoformat()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(self._told))
        fresh.replace(self._file)
