"""Security of Kafka: the same settings in the words of both clients, secrets in memory alone."""

import pickle
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError

from dualsink.errors import SettingsError
from dualsink.kafka import producer, security
from dualsink.kafka.brokers import Brokers
from dualsink.kafka.topic import Topic
from dualsink.settings import Settings

PEMS = {"kafka_ca_file": "an authority", "kafka_cert_file": "a certificate", "kafka_key_file": "a key"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for name, text in PEMS.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in PEMS}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUALSINK_KAFKA_USER", "stream")
    monkeypatch.setenv("DUALSINK_KAFKA_PASSWORD", 'p"a\\ss')
    monkeypatch.setenv("DUALSINK_KAFKA_CLIENT_ID", "client")
    monkeypatch.setenv("DUALSINK_KAFKA_CLIENT_SECRET", "of the client")


def given(**values: object) -> Brokers:
    return Brokers.of(settings(**values))


def settings(**values: object) -> Settings:
    return Settings.from_values({"servers": "external"} | values)


def test_plain_text_needs_an_address_alone():
    address = Settings().kafka_bootstrap_servers
    assert security.client_options(given()) == {"bootstrap_servers": address}
    assert security.java_options(given()) == {"bootstrap.servers": address}


def test_mutual_tls_is_files_for_one_and_texts_for_the_other(files):
    brokers = given(kafka_security_protocol="SSL", **files)
    python, java = security.client_options(brokers), security.java_options(brokers)
    assert [python[name] for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")] == list(files.values())
    texts = ("ssl.truststore.certificates", "ssl.keystore.certificate.chain", "ssl.keystore.key")
    assert [java[name] for name in texts] == list(PEMS.values())
    assert java["ssl.truststore.type"] == java["ssl.keystore.type"] == "PEM"
    assert not any("sasl" in name for name in (*python, *java))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_password_with_marks_of_its_own_stays_whole_in_both(mechanism):
    brokers = given(kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism=mechanism)
    python, java = security.client_options(brokers), security.java_options(brokers)
    assert (python["sasl_mechanism"], java["sasl.mechanism"]) == (mechanism, mechanism)
    assert python["sasl_plain_password"] == 'p"a\\ss'
    assert java["sasl.jaas.config"].endswith(' required username="stream" password="p\\"a\\\\ss";')


def test_a_client_of_oauth_gets_its_tokens_from_the_endpoint():
    brokers = given(
        kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="OAUTHBEARER",
        kafka_token_url="https://login.example/token", kafka_scope="logs",
    )  # fmt: skip
    java = security.java_options(brokers)
    assert java["sasl.oauthbearer.token.endpoint.url"] == "https://login.example/token"
    assert 'clientId="client" clientSecret="of the client" scope="logs";' in java["sasl.jaas.config"]
    assert "sasl_oauth_token_provider" in security.client_options(brokers)


def test_a_plug_in_takes_the_place_of_the_mechanism():
    options = {"sasl.mechanism": "AWS_MSK_IAM", "sasl.client.callback.handler.class": "software.amazon.Handler"}
    brokers = given(kafka_security_protocol="SASL_SSL", kafka_options=options)
    python, java = security.client_options(brokers), security.java_options(brokers)
    assert python["sasl_mechanism"] == java["sasl.mechanism"] == "AWS_MSK_IAM"
    assert java["sasl.client.callback.handler.class"] == "software.amazon.Handler"
    assert not {"sasl_plain_password", "sasl_client_callback_handler_class"} & python.keys()


def test_sparks_options_are_javas_behind_a_prefix():
    brokers = given(kafka_security_protocol="SASL_SSL")
    java = security.java_options(brokers)
    assert security.spark_options(brokers) == {f"kafka.{name}": value for name, value in java.items()}


@pytest.mark.parametrize("client", [KafkaAdminClient, KafkaConsumer, KafkaProducer])
def test_every_option_is_one_of_the_client(client, files):
    for protocol in ("PLAINTEXT", "SSL", "SASL_SSL"):
        brokers = given(kafka_security_protocol=protocol, kafka_options={"client.id": "mine", "a.b": "c"}, **files)
        assert security.client_options(brokers).keys() <= client.DEFAULT_CONFIG.keys()
    assert producer.options(Topic.of(settings(**files))).keys() <= KafkaProducer.DEFAULT_CONFIG.keys()


def test_a_missing_password_is_named_with_its_variable(monkeypatch):
    monkeypatch.delenv("DUALSINK_KAFKA_PASSWORD")
    for translate in (security.client_options, security.java_options):
        with pytest.raises(SettingsError, match="needs kafka_password_env: set DUALSINK_KAFKA_PASSWORD"):
            translate(given(kafka_security_protocol="SASL_SSL"))


def test_a_missing_file_is_named_with_its_parameter():
    brokers = given(kafka_security_protocol="SSL", kafka_ca_file="/nowhere/ca.pem")
    with pytest.raises(SettingsError, match="kafka_ca_file: there is no file /nowhere/ca.pem"):
        security.client_options(brokers)


def test_settings_and_handles_show_no_secret_that_their_variables_hold():
    secured = settings(kafka_security_protocol="SASL_SSL")
    topic = Topic.of(secured)
    assert security.client_options(topic.brokers)["sasl_plain_password"] == 'p"a\\ss'
    shown = (repr(secured), str(secured.parameters()), repr(topic))
    assert not [text for text in shown if 'p"a' in text or "p\\" in text]


def test_a_handle_reads_the_secret_of_the_moment_wherever_it_was_sent(monkeypatch):
    brokers = pickle.loads(pickle.dumps(given(kafka_security_protocol="SASL_SSL")))
    monkeypatch.setenv("DUALSINK_KAFKA_PASSWORD", "another")
    assert security.client_options(brokers)["sasl_plain_password"] == "another"


@pytest.mark.parametrize("address", ["nowhere.invalid", "PLAINTEXT://nowhere.invalid:9093", "nowhere.invalid:,other:1"])
def test_an_address_without_a_port_or_with_a_scheme_is_explained_all_the_same(address):
    told = security.explained(given(kafka_bootstrap_servers=address), KafkaTimeoutError())
    assert str(told).startswith("Kafka at nowhere.invalid:909") and "name" in str(told)
