"""Alerts from the hot tier, by rules in YAML.

Each is sent once when it begins, again after `repeat`, and when it ends.

What was sent is remembered in a file, so that a run after a restart, or `alerts` from a scheduler, sends nothing twice.
"""

import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import requests
import yaml
from opensearchpy import OpenSearch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dualsink import words
from dualsink.errors import ServiceUnavailable, SettingsError
from dualsink.files import write_atomically
from dualsink.opensearch import reader
from dualsink.opensearch.questions import ERRORS, with_phrase
from dualsink.operations import plan as plan_of
from dualsink.operations.plan import Say
from dualsink.settings import Settings

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST_SERVICES = 1_000
DEFAULT_RULES = Path(__file__).with_name("rules.yaml")
"""Rules to begin with."""
FIRING = 3
"""Exit status of a command that evaluated the rules while an alert fires."""


def _span(value: Any) -> Any:
    found = re.fullmatch(r"(\d+)([smhd])", str(value))
    if not found:
        raise ValueError("must be a time such as 30s, 5m, 2h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Span = Annotated[timedelta, BeforeValidator(_span)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorRate(_Model):
    """Rule: share of errors in a service's events.

    Fires for each service of whose events in the window (`at_least` of them) more than `above` are errors.
    """

    name: str
    kind: Literal["error_rate"]
    window: Span
    above: float = Field(ge=0, lt=1)
    at_least: int = Field(20, ge=1)


class Phrase(_Model):
    """Rule: messages with a phrase.

    Fires for each service with `at_least` messages in the window that hold the words of `phrase` side by side.
    """

    name: str
    kind: Literal["phrase"]
    window: Span
    phrase: str = Field(min_length=1)
    at_least: int = Field(1, ge=1)


class Silence(_Model):
    """Rule: service without events.

    Fires for each of `services` without an event in the window; without a list, for each with events in `since`.
    """

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
        """Identity of the alert across evaluations."""
        return f"{self.rule}/{self.service}"


def read_rules(file: Path) -> Rules:
    """Read the rules of a YAML file.

    Raises SettingsError naming the file and what is wrong in it.
    """
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


def evaluate(client: OpenSearch, alias: str, rules: Rules) -> list[Alert]:
    """Return every alert that fires now, by the server's clock."""
    judges = {"error_rate": _error_rate, "phrase": _phrase, "silence": _silence}
    return [alert for rule in rules.rules for alert in judges[rule.kind](client, alias, rule)]


def _error_rate(client: OpenSearch, alias: str, rule: ErrorRate) -> list[Alert]:
    counts = _by_service(client, alias, rule.window)
    errors = _by_service(client, alias, rule.window, {"terms": {"level": ERRORS}})
    return [
        Alert(rule.name, service, f"{errors[service]:,} of {events:,} events are errors in {_told(rule.window)}")
        for service, events in counts.items()
        if events >= rule.at_least and errors.get(service, 0) > rule.above * events
    ]


def _phrase(client: OpenSearch, alias: str, rule: Phrase) -> list[Alert]:
    counts = _by_service(client, alias, rule.window, with_phrase(rule.phrase).dsl)
    return [
        Alert(rule.name, service, f"{count:,} times “{rule.phrase}” in {_told(rule.window)}")
        for service, count in counts.items()
        if count >= rule.at_least
    ]


def _silence(client: OpenSearch, alias: str, rule: Silence) -> list[Alert]:
    heard = _by_service(client, alias, rule.window)
    expected = rule.services or list(_by_service(client, alias, rule.since))
    return [Alert(rule.name, name, f"no event in {_told(rule.window)}") for name in expected if name not in heard]


def _by_service(
    client: OpenSearch, alias: str, window: timedelta, query: dict[str, Any] | None = None
) -> dict[str, int]:
    recent = {"range": {"timestamp": {"gte": f"now-{window.total_seconds():.0f}s", "lte": "now"}}}
    body = {
        "size": 0,
        "query": {"bool": {"filter": [recent, *([query] if query else [])]}},
        "aggs": {"services": {"terms": {"field": "service", "size": _MOST_SERVICES}}},
    }
    found = reader.search(client, alias, body)
    buckets = found.get("aggregations", {}).get("services", {}).get("buckets", [])
    return {bucket["key"]: bucket["doc_count"] for bucket in buckets}


def _told(window: timedelta) -> str:
    seconds = int(window.total_seconds())
    name, size = next((n, s) for n, s in {"d": 86400, "h": 3600, "m": 60, "s": 1}.items() if seconds % s == 0)
    return f"{seconds // size}{name}"


# -- delivery ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told(plan_of.Result):
    """Result of an evaluation: firing alerts, sent ones, rules."""

    firing: int
    told: list[dict[str, str]]
    rules: int

    @property
    def exit_status(self) -> int:
        """Exit status: FIRING while an alert fires, else 0.

        Whether it was sent now or before.
        """
        return FIRING if self.firing else 0

    @property
    def fact(self) -> str:
        """Alerts that fire, and how many are new."""
        fire = f"{words.count(self.firing, 'alert')} {'fires' if self.firing == 1 else 'fire'}"
        new = sum(notice["status"] == "firing" for notice in self.told)
        over = len(self.told) - new
        resolved = f", {over:,} resolved" if over else ""
        return f"{fire} ({new:,} sent now{resolved}) by {words.count(self.rules, 'rule')}"

    def lines(self) -> list[str]:
        """Return what was sent."""
        return [_line(notice) for notice in self.told]

    def as_dict(self) -> dict[str, Any]:
        """Return what was sent as JSON types."""
        return {"told": self.told}


def run_once(client: OpenSearch, alias: str, memory: "Memory", rules: Rules, say: Say) -> Told:
    """Evaluate the rules and send what is new.

    It is printed, and sent to the webhook. `memory` knows what was sent before. What a webhook did not take is sent
    again the next time; raises ServiceUnavailable after everything was tried.
    """
    now, alerts = datetime.now(UTC), evaluate(client, alias, rules)
    fresh = memory.news(alerts, now, rules.repeat)
    address, failed = os.environ.get(rules.webhook_env), []
    for notice in fresh:
        say(_line(notice))
        if address is None or _sent(address, notice | {"at": now.isoformat(timespec="seconds")}):
            memory.remember(notice, now)
        else:
            failed.append(notice)
    if failed:
        raise ServiceUnavailable(
            f"The webhook in {rules.webhook_env} did not take {len(failed)} of {words.count(len(fresh), 'alert')}."
        )
    return Told(len(alerts), fresh, len(rules.rules))


def _line(notice: dict[str, str]) -> str:
    return "{status:8} {rule}: {service}: {text}".format(**notice)


def _sent(address: str, notice: dict[str, str]) -> bool:
    try:
        return requests.post(address, json=notice, timeout=10).ok
    except requests.RequestException:
        return False


class Memory:
    """Memory of sent alerts, in a file.

    A file that cannot be read counts as empty.
    """

    def __init__(self, file: Path):
        self._file = file
        try:
            self._told: dict[str, dict[str, str]] = orjson.loads(file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            self._told = {}

    @classmethod
    def of(cls, settings: Settings) -> "Memory":
        """Return the memory of the environment."""
        return cls(settings.data_path / "alerts.json")

    def news(self, alerts: list[Alert], now: datetime, repeat: timedelta) -> list[dict[str, str]]:
        """Return alerts that are new, due again, or resolved."""
        firing = {alert.key: alert for alert in alerts}
        due = [
            {"status": "firing", **asdict(alert)}
            for key, alert in firing.items()
            if key not in self._told or now - datetime.fromisoformat(self._told[key]["at"]) >= repeat
        ]
        over = [alert for key, alert in self._told.items() if key not in firing]
        return due + [{"status": "resolved", "rule": t["rule"], "service": t["service"], "text": "over"} for t in over]

    def remember(self, notice: dict[str, str], now: datetime) -> None:
        """Store sent alerts and drop resolved ones."""
        key = f"{notice['rule']}/{notice['service']}"
        if notice["status"] == "resolved":
            self._told.pop(key, None)
        else:
            self._told[key] = {"rule": notice["rule"], "service": notice["service"], "at": now.isoformat()}
        write_atomically(self._file, orjson.dumps(self._told))
