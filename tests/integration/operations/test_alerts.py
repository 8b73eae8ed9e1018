"""Alert rules on a live node with known events, told to a local HTTP receiver once."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opensearchpy import OpenSearch

from dualsink.errors import ServiceUnavailable, SettingsError
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import alerts
from dualsink.settings import Settings

RULES = """
webhook_env: TEST_WEBHOOK
repeat: 1h
rules:
  - {name: errors, kind: error_rate, window: 5m, above: 0.25, at_least: 4}
  - {name: memory, kind: phrase, phrase: out of memory, window: 10m}
  - {name: silence, kind: silence, window: 10m, services: [cart, mail, order]}
"""
# minutes ago, service, level, message
EVENTS = [
    *[(1, "cart", "INFO", "fine")] * 2,
    *[(1, "cart", "ERROR", "failed")] * 2,
    *[(1, "order", "INFO", "fine")] * 9,
    (2, "order", "FATAL", "Out of memory: 5 MB"),
    *[(30, "mail", "ERROR", "too long ago, memory out of order")] * 5,
]


@pytest.fixture
def rules(tmp_path: Path) -> alerts.Rules:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return alerts.read_rules(file)


@pytest.fixture
def hot(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of an index of the test's own that holds EVENTS, with a data folder of its own."""
    with closing(index.connect(Cluster.of(settings))) as client:
        index.ensure_template(client, HotTier.of(settings))
        for event in EVENTS:
            put(client, settings, *event)
        index.refresh(client, settings.opensearch_index)
    return settings.model_copy(update={"data_dir": str(tmp_path / "data")})


def put(client: OpenSearch, settings: Settings, minutes: float, service: str, level: str, message: str) -> None:
    moment = datetime.now(UTC) - timedelta(minutes=minutes)
    fields = {"timestamp": moment.isoformat(), "service": service, "level": level, "message": message}
    client.index(index=f"{settings.opensearch_index}-{moment:%Y.%m.%d}", body=fields)


@pytest.fixture
def client(hot: Settings) -> Iterator[OpenSearch]:
    with closing(index.connect(Cluster.of(hot))) as opened:
        yield opened


@pytest.fixture
def receiver(monkeypatch) -> Iterator[list[dict]]:
    """What a webhook on loopback received; it refuses while `receiver` holds the word "refuse"."""
    got: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(503 if "refuse" in got else 204)
            self.end_headers()
            if "refuse" not in got:
                got.append(body)

        def log_message(self, *args) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("TEST_WEBHOOK", f"http://127.0.0.1:{server.server_address[1]}/hook")
    yield got
    server.shutdown()
    server.server_close()


def run(client: OpenSearch, hot: Settings, rules: alerts.Rules) -> list[str]:
    lines: list[str] = []
    alerts.run_once(client, hot.opensearch_index, alerts.Memory.of(hot), rules, lines.append)
    return lines


FIRING = {
    ("errors", "cart", "2 of 4 events are errors in 5m"),
    ("memory", "order", "1 times “out of memory” in 10m"),
    ("silence", "mail", "no event in 10m"),
}


def test_each_kind_of_rule_fires_for_the_services_that_it_is_about(client, hot, rules):
    assert {(a.rule, a.service, a.text) for a in alerts.evaluate(client, hot.opensearch_index, rules)} == FIRING


def test_alerts_are_printed_and_sent_once(client, hot, rules, receiver):
    lines = run(client, hot, rules)
    assert {(n["rule"], n["service"], n["text"]) for n in receiver} == FIRING
    assert {n["status"] for n in receiver} == {"firing"}
    assert "firing   errors: cart: 2 of 4 events are errors in 5m" in lines
    assert (run(client, hot, rules), len(receiver)) == ([], 3)


def test_an_alert_that_ends_is_told_as_resolved_once(client, hot, rules, receiver):
    run(client, hot, rules)
    put(client, hot, 0, "mail", "INFO", "back again")
    index.refresh(client, hot.opensearch_index)
    assert run(client, hot, rules) == ["resolved silence: mail: over"]
    assert receiver[-1]["status"] == "resolved"
    assert run(client, hot, rules) == []


def test_an_alert_that_goes_on_is_told_again_after_the_time_for_repeats(client, hot, rules, receiver):
    impatient = rules.model_copy(update={"repeat": timedelta(0)})
    assert (len(run(client, hot, impatient)), len(run(client, hot, impatient))) == (3, 3)


def test_what_a_webhook_did_not_take_is_told_again_the_next_time(client, hot, rules, receiver):
    receiver.append("refuse")
    with pytest.raises(ServiceUnavailable, match="did not take 3 of 3"):
        run(client, hot, rules)
    receiver.clear()
    assert len(run(client, hot, rules)) == len(receiver) == 3


def test_without_a_webhook_alerts_are_printed_alone(client, hot, rules, monkeypatch):
    monkeypatch.delenv("TEST_WEBHOOK", raising=False)
    assert len(run(client, hot, rules)) == 3


def test_a_silent_service_is_noticed_without_a_list_if_it_spoke_before(client, hot):
    rule = alerts.Silence(name="s", kind="silence", window="10m", since="1h")
    found = alerts.evaluate(
        client, hot.opensearch_index, alerts.Rules(rules=[rule.model_dump() | {"window": "10m", "since": "1h"}])
    )
    assert [alert.service for alert in found] == ["mail"]


def test_a_hot_tier_without_any_day_fires_nothing_but_silence(client, hot, rules):
    nowhere = hot.model_copy(update={"opensearch_index": "no-such-alias"})
    assert {alert.rule for alert in alerts.evaluate(client, nowhere.opensearch_index, rules)} == {"silence"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [{name: a, kind: error_rate, window: 5 minutes, above: 0.1}]", "window: .*a time such as 30s"),
        ("rules: [{name: a, kind: error_rate, window: 5m, above: 3}]", "above"),
        ("rules: [{name: a, kind: noise, window: 5m}]", "kind"),
        ("rules: [{name: a, kind: silence, window: 5m, colour: red}]", "colour"),
        ("rules: []", "rules"),
        ("rules: [{name: a, kind: silence, window: 5m}, {name: a, kind: silence, window: 9m}]", "a name twice: a"),
        ("{", "Cannot read"),
    ],
    ids=["span", "share", "kind", "unknown", "none", "twice", "yaml"],
)
def test_rules_that_cannot_be_used_are_explained(tmp_path, text, says):
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=f"(?s){says}"):
        alerts.read_rules(file)


def test_the_rules_of_the_project_can_be_read(request):
    assert len(alerts.read_rules(alerts.DEFAULT_RULES).rules) == 3
