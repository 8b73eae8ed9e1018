"""What a Spark session changes in this process."""

import logging
import os
import re
from pathlib import Path

import pytest
from py4j import java_gateway
from pyspark import SparkContext

from dualsink.errors import SettingsError
from dualsink.iceberg.archive import Archive
from dualsink.kafka import security
from dualsink.kafka.brokers import Brokers
from dualsink.settings import Settings
from dualsink.spark import session


def test_py4j_does_not_speak_for_the_root_logger_and_everybody_else_may():
    session._silence_py4j()
    spoken = [record_of(java_gateway.__file__), record_of(__file__)]
    assert [bool(logging.getLogger().filter(record)) for record in spoken] == [False, True]
    assert not logging.getLogger("py4j.clientserver").isEnabledFor(logging.ERROR)


def record_of(file: str) -> logging.LogRecord:
    """A record as the root logger makes it for a call in a file."""
    return logging.getLogger().makeRecord("root", logging.ERROR, file, 1, "Exception while sending command.", (), None)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the variables of Kafka and catalogue hold, and a private key in a file."""
    names = ("KAFKA_PASSWORD", "KAFKA_CLIENT_SECRET", "NESSIE_TOKEN", "S3_SECRET_KEY", "S3_SESSION_TOKEN")
    for name in names:
        monkeypatch.setenv(f"DUALSINK_{name}", f"secret of {name}")
    for name in ("KAFKA_USER", "KAFKA_CLIENT_ID", "NESSIE_CLIENT_ID", "NESSIE_CLIENT_SECRET"):
        monkeypatch.setenv(f"DUALSINK_{name}", f"secret of {name}")
    (tmp_path / "key.pem").write_text("secret of the key")
    return [*(f"secret of {name}" for name in names), "secret of NESSIE_CLIENT_SECRET", "secret of the key"]


def given(tmp_path: Path, **values: object) -> Settings:
    files = dict.fromkeys(("kafka_cert_file", "kafka_key_file"), str(tmp_path / "key.pem"))
    place = {"servers": "external", "data_dir": str(tmp_path), "kafka_security_protocol": "SASL_SSL"}
    return Settings.from_values(place | files | values)


@pytest.mark.parametrize("mechanism", ["PLAIN", "OAUTHBEARER"])
def test_spark_redacts_every_option_that_holds_a_secret(secrets, monkeypatch, tmp_path, mechanism):
    settings = given(
        tmp_path,
        kafka_sasl_mechanism=mechanism,
        nessie_oauth_url="https://login.example/token",
        nessie_uri="https://nessie/api/v2",
    )
    shown = security.spark_options(Brokers.of(settings)) | session.identity(Archive.of(settings))
    monkeypatch.delenv("DUALSINK_NESSIE_TOKEN")
    shown |= session.identity(Archive.of(settings))
    holding = [name for name, value in shown.items() if any(secret in value for secret in secrets)]
    assert len(holding) >= 4
    assert [name for name in holding if not re.search(session._REDACTED, name)] == []


def test_nothing_that_starts_a_jvm_holds_a_secret(secrets, tmp_path):
    settings = given(tmp_path, kafka_token_url="https://login.example/token", s3_sse="AES256")
    started = str(session._configuration(session.Driver.of(settings), Archive.of(settings), (), False))
    assert [secret for secret in secrets if secret in started] == []
    assert "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=https://login.example/token" in started


@pytest.fixture
def lent(monkeypatch) -> dict[str, str]:
    """Return what a run lends its notebooks: its JVM, which has the stream's keys."""
    lent = {session.SHARED: "DUALSINK_S3_ACCESS_KEY", session.PORT: "1", session.SECRET: "secret"}
    for name, value in lent.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    return lent


@pytest.mark.parametrize(("keys", "fits"), [("DUALSINK_S3_ACCESS_KEY", True), ("DUALSINK_S3_KEEPER_ACCESS_KEY", False)])
def test_a_runs_jvm_serves_those_who_have_its_keys_and_others_start_their_own(lent, keys, fits):
    assert session._fits(keys) == fits
    assert {name: os.environ[name] for name in lent if name in os.environ} == (lent if fits else {})


def test_a_kernel_whose_session_has_other_keys_says_so(lent, monkeypatch):
    monkeypatch.setattr(SparkContext, "_active_spark_context", object())
    with pytest.raises(SettingsError, match="restart the kernel for a session with those of DUALSINK_S3_KEEPER"):
        session._fits("DUALSINK_S3_KEEPER_ACCESS_KEY")
