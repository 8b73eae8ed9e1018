"""Kafka with TLS and users: what gets in, and what a refusal says."""

import logging
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support import secured
from tests.support.secured import PASSWORD, Certificates, Issuer

from dualsink.errors import DeploymentError
from dualsink.kafka import producer, reader, security, topic
from dualsink.kafka.brokers import Brokers
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.settings import Settings


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def issuer(certificates: Certificates) -> Iterator[Issuer]:
    with secured.issuer(Issuer(), *certificates.issue("issuer", "127.0.0.1")) as listening:
        yield listening


@pytest.fixture(scope="module")
def brokers(certificates: Certificates, issuer: Issuer, tmp_path_factory) -> Iterator[dict[str, str]]:
    certificate, key = certificates.issue("broker", "127.0.0.1", "localhost")
    place = tmp_path_factory.mktemp("kafka")
    with secured.kafka(place, certificate, key, certificates.ca, issuer.keys_url) as addresses:
        yield addresses


@pytest.fixture
def given(certificates: Certificates, brokers: dict[str, str], issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    for user, password in (("USER", "PASSWORD"), ("CLIENT_ID", "CLIENT_SECRET")):
        monkeypatch.setenv(f"DUALSINK_KAFKA_{user}", "stream")
        monkeypatch.setenv(f"DUALSINK_KAFKA_{password}", PASSWORD)

    def settings(protocol: str, **more: object) -> Settings:
        values = {
            "servers": "external",
            "kafka_security_protocol": protocol,
            "kafka_bootstrap_servers": brokers[protocol],
            "kafka_ca_file": str(certificates.ca),
            "kafka_token_url": issuer.token_url,
            "kafka_topic": "secured",
            "kafka_partitions": 2,
        }
        return Settings.from_values(values | more)

    return settings


def of_client(certificates: Certificates) -> dict[str, str]:
    certificate, key = certificates.issue("client", "client.example")
    return {"kafka_cert_file": str(certificate), "kafka_key_file": str(key)}


def refusal(settings: Settings, within: float = 15) -> str:
    began = time.monotonic()
    with pytest.raises(DeploymentError) as refused:
        topic.admin(Brokers.of(settings)).close()
    assert time.monotonic() - began < within
    text = str(refused.value)
    assert "\n" not in text and PASSWORD not in text
    return text


# -- what gets in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN", "OAUTHBEARER"])
def test_admin_producer_and_reader_get_in_with_user_and_password_or_token(given, mechanism):
    settings = given("SASL_SSL", kafka_sasl_mechanism=mechanism, kafka_topic=f"topic-{mechanism}")
    topic.ensure_topic(Topic.of(settings))
    assert producer.produce([Record(b"k", b"v", None)] * 3, Topic.of(settings))["records"] == 3
    assert sum(end for _, end in topic.watermarks(Topic.of(settings)).values()) == 3


def test_mutual_tls_needs_no_user(given, certificates):
    settings = given("SSL", kafka_topic="mutual", **of_client(certificates))
    topic.ensure_topic(Topic.of(settings))
    assert set(topic.watermarks(Topic.of(settings))) == {0, 1}


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [("SASL_SSL", "SCRAM-SHA-512"), ("SASL_SSL", "PLAIN"), ("SASL_SSL", "OAUTHBEARER"), ("SSL", "SCRAM-SHA-512")],
)
def test_spark_reads_what_kafka_python_sent(spark, given, certificates, issuer, protocol, mechanism):
    # A session that begins with these settings has it from its start.
    spark._jvm.System.setProperty(security.ALLOWED_TOKEN_URLS, issuer.token_url)
    changes = {"kafka_topic": f"spark-{protocol}-{mechanism}", "kafka_sasl_mechanism": mechanism}
    settings = given(protocol, **changes, **of_client(certificates))
    topic.ensure_topic(Topic.of(settings))
    producer.produce([Record(b"k", b"v", None)] * 5, Topic.of(settings))
    records = reader.records(spark, Topic.of(settings))
    assert records.count() == 5
    plan = records._jdf.queryExecution().toString()
    assert PASSWORD not in plan and "PRIVATE KEY" not in plan


def test_a_password_is_read_again_at_the_next_use(given, monkeypatch, tmp_path):
    file = tmp_path / "password"
    file.write_text("not yet")
    monkeypatch.delenv("DUALSINK_KAFKA_PASSWORD")
    monkeypatch.setenv("DUALSINK_KAFKA_PASSWORD_FILE", str(file))
    settings = given("SASL_SSL")
    with pytest.raises(DeploymentError, match="refuses the user"):
        topic.admin(Brokers.of(settings))
    file.write_text(PASSWORD)
    topic.admin(Brokers.of(settings)).close()


# -- what a refusal says ----------------------------------------------------------------------------


def test_a_client_that_the_issuer_does_not_know_is_told(given, monkeypatch):
    monkeypatch.setenv("DUALSINK_KAFKA_CLIENT_SECRET", "wrong")
    assert "gives none (401): check the client's id" in refusal(given("SASL_SSL", kafka_sasl_mechanism="OAUTHBEARER"))


def test_a_token_that_a_foreign_key_has_signed_is_refused(given, issuer, monkeypatch):
    monkeypatch.setattr(issuer, "signing", rsa.generate_private_key(65537, 2048))
    text = refusal(given("SASL_SSL", kafka_sasl_mechanism="OAUTHBEARER"))
    assert "refuses the user (OAUTHBEARER)" in text and "kafka_client_secret_env" in text


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_is_told_with_the_variables_to_set(given, monkeypatch, caplog, mechanism):
    caplog.set_level(logging.CRITICAL, logger="kafka")  # as the command line does
    monkeypatch.setenv("DUALSINK_KAFKA_PASSWORD", "wrong")
    text = refusal(given("SASL_SSL", kafka_sasl_mechanism=mechanism))
    assert "refuses the user" in text and "kafka_password_env" in text and mechanism in text


def test_a_foreign_authority_is_told(given, tmp_path):
    text = refusal(given("SASL_SSL", kafka_ca_file=str(Certificates.make(tmp_path / "foreign").ca)))
    assert "authority that is not trusted; set kafka_ca_file" in text


def test_plain_text_to_a_port_with_tls_is_told(given, brokers):
    text = refusal(given("PLAINTEXT", kafka_bootstrap_servers=brokers["SSL"]))
    assert "it speaks TLS alone; see kafka_security_protocol" in text


def test_tls_to_a_port_with_plain_text_is_told(given, brokers):
    text = refusal(given("SASL_SSL", kafka_bootstrap_servers=brokers["PLAINTEXT"]))
    assert "it speaks no TLS; see kafka_security_protocol" in text


def test_a_client_without_a_certificate_is_told(given):
    assert "turns this client's certificate away" in refusal(given("SSL"))


@pytest.mark.parametrize(
    ("hosts", "expired", "cause"),
    [(("127.0.0.1",), True, "has expired"), (("elsewhere.example",), False, "is for another")],
)
def test_an_expired_certificate_and_a_wrong_name_are_told(given, certificates, tmp_path, hosts, expired, cause):
    certificate, key = certificates.issue("odd", *hosts, expired=expired)
    with secured.kafka(tmp_path / "kafka", certificate, key, certificates.ca) as addresses:
        assert cause in refusal(given("SASL_SSL", kafka_bootstrap_servers=addresses["SASL_SSL"]))
