"""The secured local servers for real: who gets in, what each identity may do, and what nobody may read."""

import json
import socket
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import opensearchpy
import psutil
import pytest
import requests
import trustme
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, SSLError
from cryptography.hazmat.primitives import serialization
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import ClusterAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError
from rich.console import Console
from tests.support import secured
from tests.support.secured import PASSWORD, Issuer
from tests.support.turns import of_today
from trino.dbapi import Connection
from trino.exceptions import HttpError, TrinoQueryError

from dualsink import polling
from dualsink.errors import DeploymentError, PlatformError, ServiceUnavailable
from dualsink.iceberg import storage
from dualsink.iceberg.servers import Storage
from dualsink.kafka import producer, security, topic
from dualsink.kafka.brokers import Brokers
from dualsink.kafka.source import Source
from dualsink.kafka.topic import Topic
from dualsink.notebook import trino
from dualsink.opensearch import index as search
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings, params_files, project_root
from dualsink.spark import java
from dualsink.stream import health
from dualsink_workbench.chaos import report
from dualsink_workbench.chaos.registry import SCENARIOS
from dualsink_workbench.runner import runner
from dualsink_workbench.servers import credentials, issuer, status
from dualsink_workbench.servers.stack import LocalServers, free_settings
from dualsink_workbench.servers.trino import Trino

# Variables of their own: another stack may be in use by the same test session.
VARIABLES = {name: f"SECURED_TEST_{name.upper()}" for name in Settings.model_fields if name.endswith("_env")}
SEPARATE = {"request_timeout_ms": 5000, "bootstrap_timeout_ms": 10_000}
OTHER = "another_topic"
S3_FILES = ("identities.json", "security.toml", "encryption.key")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    files = params_files("secure")
    place = free_settings(Settings.load(files), tmp_path_factory.mktemp("secured"))
    local = LocalServers(Settings.load(files, place | VARIABLES))
    yield local
    local.down()


@pytest.fixture
def stack(shared: LocalServers) -> LocalServers:
    """All four servers, healthy, and the topic with another one beside it."""
    return complete(shared)


def complete(shared: LocalServers) -> LocalServers:
    shared.up()
    with closing(topic.admin(Brokers.of(shared.settings))) as client:
        if missing := {shared.settings.kafka_topic, OTHER} - set(client.list_topics()):
            client.create_topics([NewTopic(name, 2, 1) for name in missing])
    return shared


@pytest.fixture
def settings(stack: LocalServers) -> Settings:
    return stack.settings


@pytest.fixture
def acting(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Make the suite be a user of a server, with a password or his own."""

    def act(server: str, user: str, password: str = "") -> None:
        monkeypatch.setenv(getattr(settings, f"{server}_user_env"), user)
        secret = password or credentials.users(settings, server)[user]
        monkeypatch.setenv(getattr(settings, f"{server}_password_env"), secret)

    return act


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An authority that signed none of the servers' certificates."""
    file = tmp_path_factory.mktemp("foreign") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return str(file)


def usual(local: LocalServers):
    return [each for each in local.status() if not each.optional]


def secrets_of(settings: Settings) -> set[str]:
    """Every secret of the data folder: passwords, tokens, keys of certificates."""
    known = json.loads(settings.credentials_file.read_text())
    named = {value for name, value in known.items() if not name.endswith(("_user_env", "identities"))}
    users = {secret for each in known["identities"].values() for secret in each.values()}
    keys = [file.read_text().splitlines()[1] for file in settings.tls_path.glob("*.key")]
    keys.append((settings.data_path / "s3" / "encryption.key").read_text())
    return (named | users | set(keys)) - {"keeper"}


def files_of_secrets(settings: Settings) -> list[Path]:
    """The files that are there to hold secrets."""
    place = settings.data_path
    files = [settings.credentials_file, *(place / "s3" / name for name in S3_FILES)]
    return [
        *files,
        *(file for kind in ("tls/*.key", "tls/*-both.pem", "opensearch/*/*.key") for file in place.glob(kind)),
    ]


# -- the stack ---------------------------------------------------------------------------------------


def test_up_brings_all_four_to_health_and_a_second_one_starts_nothing(stack):
    assert [each.name for each in usual(stack) if each.running and each.healthy] == [
        "kafka",
        "opensearch",
        "nessie",
        "s3",
    ]
    assert stack.up() == []


def test_nothing_listens_beyond_loopback(stack):
    sockets = [s for each in usual(stack) for s in psutil.Process(each.pid).net_connections("inet")]
    assert {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_secrets_are_in_files_of_their_owner_alone(settings):
    modes = {str(file): file.stat().st_mode & 0o777 for file in files_of_secrets(settings)}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert settings.tls_path.stat().st_mode & 0o777 == 0o700


def test_no_secret_is_in_arguments_logs_or_the_status(stack):
    told = [" ".join(psutil.Process(each.pid).cmdline()) for each in usual(stack)]
    told += [file.read_text(errors="replace") for file in (stack.settings.data_path / "logs").iterdir()]
    told += [json.dumps(status.describe(stack.settings)), (stack.settings.data_path / "servers.json").read_text()]
    assert [secret for secret in secrets_of(stack.settings) if any(secret in text for text in told)] == []


def test_no_secret_reaches_a_servers_environment(stack):
    values = {value for each in usual(stack) for value in psutil.Process(each.pid).environ().values()}
    assert secrets_of(stack.settings) & values == set()


def test_servers_that_end_come_back_with_their_users_and_data(stack, acting):
    with closing(search.connect(Cluster.of(stack.settings))) as client:
        search.ensure_template(client, HotTier.of(stack.settings))
        client.index(index=f"{stack.settings.opensearch_index}-2026.01.01", id="1", body={"message": "kept"})
    before = credentials.users(stack.settings, "kafka")
    stack.down()
    stack.up()
    assert credentials.users(stack.settings, "kafka") == before
    acting("opensearch", "reader")
    with closing(search.connect(Cluster.of(stack.settings))) as client:
        assert client.exists(index=f"{stack.settings.opensearch_index}-2026.01.01", id="1")
    acting("kafka", "reader")
    with closing(topic.consumer(Brokers.of(stack.settings))) as client:
        assert client.partitions_for_topic(stack.settings.kafka_topic) == {0, 1}
    with closing(search.connect(Cluster.of(stack.settings.as_keeper()))) as client:
        client.indices.delete(index=f"{stack.settings.opensearch_index}-2026.01.01")  # no event, to the ledger


def test_a_kafka_that_was_made_without_users_is_not_taken_for_a_secured_one(stack):
    changed = stack.settings.model_copy(update={"kafka_security_protocol": "PLAINTEXT"})
    stack.stop("kafka")
    with pytest.raises(PlatformError, match="was made with users"):
        LocalServers(changed).start("kafka")


# -- identities --------------------------------------------------------------------------------------


def test_who_grants_is_the_administrator_whoever_the_variables_name(stack, acting):
    acting("kafka", "reader")
    assert stack.up() == []


def test_readers_find_every_server_in_health_and_refresh_what_the_ledger_counts(settings, acting, monkeypatch):
    acting("kafka", "reader")
    acting("opensearch", "reader")
    monkeypatch.setenv(settings.nessie_token_env, credentials.users(settings, "nessie")["reader"])
    assert [str(check) for check in health.Servers.of(settings).check() if not check.ok] == []
    with closing(search.connect(Cluster.of(settings))) as client:
        search.refresh(client, settings.opensearch_index)


# -- a run -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def left(shared: LocalServers, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """All that a run leaves and shows: files, objects, Spark's event log, what it prints, arguments of processes.

    What it stores in S3 is encrypted there.
    """
    place = tmp_path_factory.mktemp("run")
    log = f"spark.eventLog.enabled true\nspark.eventLog.compress false\nspark.eventLog.dir {place}\n"
    (place / "spark-defaults.conf").write_text(log)
    changes = {"runs_dir": str(place / "runs"), "num_log_events": 50, "s3_sse": "AES256"}
    settings = complete(shared).settings.model_copy(update=changes)
    producer.produce(Source.of(settings).records(), Topic.of(settings))
    shown = Console(file=StringIO(), width=200)
    with pytest.MonkeyPatch.context() as patch, arguments() as seen:
        patch.setenv("SPARK_CONF_DIR", str(place))
        assert runner.run(settings, ["01", "03"], shown) == 0, shown.file.getvalue()
    meant = set(files_of_secrets(settings))
    files = [file for folder in (settings.data_path, place) for file in folder.rglob("*") if file.is_file()]
    kept = (content(file) for file in files if file not in meant)
    return [shown.file.getvalue().encode(), *seen, *kept, *stored(settings)]


def content(file: Path) -> bytes:
    """What a file holds, or nothing: servers that run take files away meanwhile."""
    with suppress(FileNotFoundError):
        return file.read_bytes().rstrip(b"\0")
    return b""


@contextmanager
def arguments() -> Iterator[set[bytes]]:
    """The arguments of every process of this machine during the block: servers and JVMs are nobody's children."""
    seen, end = set(), threading.Event()

    def look() -> None:
        while not end.wait(0.05):
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    seen.add(" ".join(process.cmdline()).encode())

    watch = threading.Thread(target=look)
    watch.start()
    try:
        yield seen
    finally:
        end.set()
        watch.join()


def stored(settings: Settings) -> Iterator[bytes]:
    """Every object of the bucket, as it was put: the server's own files hold it compressed."""
    client = objects(settings.as_keeper())
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=settings.s3_bucket):
        for each in page.get("Contents", ()):
            yield client.get_object(Bucket=settings.s3_bucket, Key=each["Key"])["Body"].read()


def forms(secret: str) -> Iterator[bytes]:
    """A secret as it is, in an address, and as a part of any text in base64."""
    yield secret.encode()
    yield quote(secret, safe="").encode()
    for before in range(3):
        text = b64encode(bytes(before) + secret.encode()).rstrip(b"=")
        yield text[-(-before * 8 // 6) : -1]


def test_a_run_leaves_no_secret_anywhere(settings, left):
    files = (b"SparkListenerEnvironmentUpdate", b"runner.shared_jvm", b"nbformat", b"</html>", b"batchId")
    for looked_at in (*files, b"current-snapshot-id", b"kafka.Kafka"):
        assert any(looked_at in each for each in left), looked_at
    wanted = {form for secret in secrets_of(settings) for form in forms(secret)}
    assert [form for form in wanted if any(form in each for each in left)] == []


def test_what_a_run_stores_is_encrypted_by_the_storage(settings, left):
    client = objects(settings)
    heads = [client.head_object(Bucket=settings.s3_bucket, Key=key) for key in keys_below(settings, "warehouse/demo")]
    assert len(heads) > 5
    assert {head.get("ServerSideEncryption") for head in heads} == {"AES256"}


def keys_below(settings: Settings, folder: str) -> list[str]:
    found = objects(settings).list_objects_v2(Bucket=settings.s3_bucket, Prefix=f"{folder}/")
    return [each["Key"] for each in found["Contents"]]


# -- commands ----------------------------------------------------------------------------------------


@pytest.fixture
def tokens(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """An issuer whose tokens Nessie takes; our variables have a client of his."""
    key = serialization.load_pem_private_key((settings.tls_path / "tokens.key").read_bytes(), None)
    monkeypatch.setenv(settings.nessie_client_id_env, "stream")
    monkeypatch.setenv(settings.nessie_client_secret_env, PASSWORD)
    place = settings.tls_path / "nessie.pem"
    with secured.issuer(Issuer(issuer.NAME, "nessie", signing=key), place, place.with_suffix(".key")) as listening:
        yield listening


def test_each_identity_does_what_its_rights_allow_and_is_told_which_one_is_missing(settings, left, tokens, tmp_path):
    params = tmp_path / "params.json"
    params.write_text(json.dumps(settings.parameters() | {"nessie_oauth_url": tokens.token_url}))
    errands = [sys.executable, "-P", str(project_root(Path(__file__)) / "tests" / "support" / "errands.py")]
    done = subprocess.run([*errands, params], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    missing = "A right is missing: NessieForbiddenException"
    reader, stream = found["reader"], found["stream"]
    assert {command: missing in reader[command] for command in ("validate", "rescue", "acknowledge")} == {
        "validate": True,
        "rescue": True,
        "acknowledge": True,
    }
    assert "'COMMIT_CHANGE_AGAINST_REFERENCE' is not allowed for role 'reader'" in reader["validate"]
    assert stream["rescue"].startswith("1 document ")
    assert stream["acknowledge"].startswith("1 lost record acknowledged by ")
    assert stream["validate"].startswith("the ledger holds: ")
    for who in (reader, stream):
        assert who["watch"] == "watched" and '"type":"index-pattern"' in who["dashboards"]
    assert int(found["oauth"]["count"]) > 0 and tokens.given == 2  # PyIceberg's and Spark's


CHAOS = (
    "kill-before-archive-commit",
    "opensearch-down",
    "opensearch-busy",
    "kafka-killed",
    "nessie-killed",
    "wrong-credentials",
)


@pytest.mark.timeout(3600)
def test_what_breaks_on_secured_servers_is_whole_again(settings, tmp_path):
    params, told = tmp_path / "params.json", tmp_path / "chaos.json"
    params.write_text(json.dumps(settings.parameters()))
    command = [sys.executable, "-P", "-m", "dualsink", "chaos", f"--params={params}", f"--output={told}"]
    done = subprocess.run([*command, "--only", ",".join(of_today(CHAOS))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert [outcome.scenario for outcome in report.read(told) if outcome.ok] == [
        name for name in SCENARIOS if name in of_today(CHAOS)
    ]


# -- Kafka -------------------------------------------------------------------------------------------


def test_kafka_refuses_a_wrong_password(settings, acting):
    acting("kafka", "stream", "no password of anybody")
    # kafka-python is at times told of the closed connection before it reads why: the broker's log says it always.
    with pytest.raises((DeploymentError, ServiceUnavailable)):
        topic.admin(Brokers.of(settings))
    log = (settings.data_path / "logs" / "kafka.log").read_text(errors="replace")
    assert "invalid credentials with SASL mechanism SCRAM-SHA-512" in log


def test_kafka_with_a_certificate_of_a_foreign_authority_is_not_spoken_to(settings, foreign):
    with pytest.raises(DeploymentError, match="authority that is not trusted"):
        topic.admin(Brokers.of(settings.model_copy(update={"kafka_ca_file": foreign})))


def test_kafka_refuses_plain_text(settings):
    with pytest.raises(DeploymentError, match="speaks TLS alone"):
        topic.admin(Brokers.of(settings.model_copy(update={"kafka_security_protocol": "PLAINTEXT"})))


@pytest.mark.parametrize("name", ["internal", "controller"])
def test_kafkas_inner_ports_want_a_certificate(settings, foreign, name):
    port = json.loads((settings.data_path / "servers.json").read_text())["kafka"]["ports"][name]
    options = {"security_protocol": "SSL", "ssl_cafile": settings.kafka_ca_file, "bootstrap_timeout_ms": 3000}
    with pytest.raises(KafkaError):
        KafkaConsumer(bootstrap_servers=f"127.0.0.1:{port}", **options)


def sent(settings: Settings, name: str) -> None:
    with closing(KafkaProducer(**security.client_options(Brokers.of(settings)), **SEPARATE)) as client:
        client.send(name, b"value").get(20)


def read(settings: Settings, name: str) -> int:
    options = security.client_options(Brokers.of(settings))
    with closing(KafkaConsumer(**options, auto_offset_reset="earliest")) as client:
        client.assign([TopicPartition(name, partition) for partition in (0, 1)])
        return sum(map(len, client.poll(timeout_ms=10_000).values()))


def test_the_producer_writes_the_topic_and_no_other(settings, acting):
    acting("kafka", "producer")
    sent(settings, settings.kafka_topic)
    with pytest.raises(TopicAuthorizationFailedError):
        sent(settings, OTHER)


def test_the_stream_reads_the_topic_and_no_other_and_writes_none(settings, acting):
    for name in (settings.kafka_topic, OTHER):
        sent(settings, name)
    acting("kafka", "stream")
    assert read(settings, settings.kafka_topic) > 0
    assert may_describe(settings) == [settings.kafka_topic]
    with pytest.raises(DeploymentError, match=f"refuses this user the right to describe the topic {OTHER}: grant it"):
        described(settings, OTHER)
    with pytest.raises((TopicAuthorizationFailedError, ClusterAuthorizationFailedError, KafkaError), match="Authoriz"):
        sent(settings, settings.kafka_topic)


def may_describe(settings: Settings) -> list[str]:
    with closing(topic.consumer(Brokers.of(settings))) as client:
        return sorted(client.topics())


def described(settings: Settings, name: str) -> None:
    with closing(topic.admin(Brokers.of(settings))) as client:
        topic.describe_topic(client, name)


def test_only_the_administrator_creates_topics(settings, acting):
    for user in ("producer", "stream", "reader"):
        acting("kafka", user)
        with closing(topic.admin(Brokers.of(settings))) as client, pytest.raises(TopicAuthorizationFailedError):
            client.create_topics([NewTopic("theirs", 1, 1)])


# -- OpenSearch --------------------------------------------------------------------------------------


def asked(settings: Settings, **changes: object) -> None:
    with closing(search.connect(Cluster.of(settings.model_copy(update=changes)))) as client:
        client.info()


def test_opensearch_refuses_a_wrong_password(settings, acting):
    acting("opensearch", "stream", "no password of anybody")
    with pytest.raises(opensearchpy.exceptions.AuthenticationException):
        asked(settings)


def test_opensearch_with_a_certificate_of_a_foreign_authority_is_not_spoken_to(settings, foreign):
    with pytest.raises(opensearchpy.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        asked(settings, opensearch_ca_file=foreign)


def test_opensearch_refuses_plain_text(settings):
    with pytest.raises(opensearchpy.exceptions.ConnectionError):
        asked(settings, opensearch_tls=False)


def bearing(settings: Settings, monkeypatch: pytest.MonkeyPatch, server: str) -> Cluster:
    """OpenSearch with the stream's token for a server, and no password."""
    monkeypatch.setenv(settings.opensearch_token_env, issuer.tokens(settings.tls_path, server, ["stream"])["stream"])
    return Cluster.of(settings.model_copy(update={"servers": "external"}))


def test_opensearch_knows_the_stream_by_its_token_too(settings, monkeypatch):
    cluster = bearing(settings, monkeypatch, "opensearch")
    with closing(search.connect(cluster)) as client:
        assert client.transport.perform_request("GET", "/_plugins/_security/authinfo")["user_name"] == "stream"
        search.ensure_template(client, HotTier.of(settings))
        client.index(index=f"{settings.opensearch_index}-2026.01.04", id="1", body={"message": "m"})
        with pytest.raises(opensearchpy.exceptions.AuthorizationException, match="no permissions"):
            client.delete(index=f"{settings.opensearch_index}-2026.01.04", id="1")


def test_opensearch_refuses_a_token_for_another_server(settings, monkeypatch):
    cluster = bearing(settings, monkeypatch, "nessie")
    with closing(search.connect(cluster)) as client, pytest.raises(opensearchpy.exceptions.AuthenticationException):
        client.info()


def test_opensearch_knows_its_administrator_by_a_certificate(settings):
    certificate = settings.tls_path / "opensearch-admin.pem"
    files = {"opensearch_cert_file": str(certificate), "opensearch_key_file": str(certificate.with_suffix(".key"))}
    cluster = Cluster.of(settings.model_copy(update={"servers": "external", **files}))
    with closing(search.connect(cluster)) as client:
        who = client.transport.perform_request("GET", "/_plugins/_security/authinfo")["user_name"]
    assert who.startswith("CN=opensearch-admin")


def test_the_stream_creates_documents_and_deletes_none(settings):
    day = f"{settings.opensearch_index}-2026.01.02"
    with closing(search.connect(Cluster.of(settings))) as client:
        assert search.ensure_template(client, HotTier.of(settings)) in ("created", "exists")
        client.index(index=day, id="1", body={"message": "m"}, refresh="true")
        assert client.count(index=day)["count"] == 1
        for deed in (
            lambda: client.delete(index=day, id="1"),
            lambda: client.delete_by_query(index=day, body={"query": {"match_all": {}}}),
            lambda: client.indices.delete(index=day),
            lambda: client.indices.delete_index_template(name=settings.opensearch_index),
            lambda: client.index(index="another-index", body={"message": "m"}),
        ):
            with pytest.raises(opensearchpy.exceptions.AuthorizationException, match="no permissions"):
                deed()
        refusal = client.bulk(body=[{"delete": {"_index": day, "_id": "1"}}])["items"][0]["delete"]
        assert (refusal["status"], refusal["error"]["type"]) == (403, "security_exception")
    with closing(search.connect(Cluster.of(settings.as_keeper()))) as client:
        assert client.delete(index=day, id="1")["result"] == "deleted"


def test_the_reader_of_opensearch_writes_nothing(settings, acting):
    acting("opensearch", "reader")
    with closing(search.connect(Cluster.of(settings))) as client:
        client.search(index=settings.opensearch_index, params={"ignore_unavailable": "true"})
        with pytest.raises(opensearchpy.exceptions.AuthorizationException):
            client.index(index=f"{settings.opensearch_index}-2026.01.03", body={"message": "m"})


# -- Nessie ------------------------------------------------------------------------------------------


def catalogue(settings: Settings, path: str, token: str, body: object = None, **options: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    verb = "GET" if body is None else "POST"
    options = {"verify": settings.nessie_ca_file, "timeout": 20} | options
    return requests.request(verb, f"{settings.nessie_uri}/{path}", headers=headers, json=body, **options)


def committed(settings: Settings, user: str, *operations: dict[str, object]) -> requests.Response:
    token = credentials.users(settings, "nessie")[user]
    head = catalogue(settings, "trees/main", token).json()["reference"]["hash"]
    body = {"commitMeta": {"message": "test"}, "operations": operations}
    return catalogue(settings, f"trees/main@{head}/history/commit", token, body)


def test_nessie_wants_a_token_that_its_key_has_signed(settings):
    token = credentials.users(settings, "nessie")["stream"]
    head, claims, signature = token.split(".")
    for wrong in ("", "no-token", f"{head}.{claims}.{signature[::-1]}"):
        assert catalogue(settings, "trees", wrong).status_code == 401
    assert catalogue(settings, "trees", token).status_code == 200


def test_nessie_with_a_certificate_of_a_foreign_authority_is_not_spoken_to(settings, foreign):
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        catalogue(settings, "config", "", verify=foreign)


def test_nessie_refuses_plain_text(settings):
    plain = settings.model_copy(update={"nessie_uri": settings.nessie_uri.replace("https", "http")})
    with pytest.raises(requests.ConnectionError):
        catalogue(plain, "config", "")


def test_the_stream_creates_in_the_catalogue_and_drops_nothing(settings):
    key = {"elements": ["of_the_stream"]}
    create = {"type": "PUT", "key": key, "content": {"type": "NAMESPACE", "elements": key["elements"]}}
    drop = {"type": "DELETE", "key": key}
    assert committed(settings, "reader", create).status_code == 403
    assert committed(settings, "stream", create).status_code == 200
    refusal = committed(settings, "stream", drop)
    assert (refusal.status_code, "'DELETE_ENTITY' is not allowed" in refusal.text) == (403, True)
    assert committed(settings, "admin", drop).status_code == 200


# -- S3 ----------------------------------------------------------------------------------------------


def objects(settings: Settings, **changes: object):
    config = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1})
    return storage.client(Storage.of(settings.model_copy(update=changes)), config)


def test_s3_refuses_a_wrong_secret(settings, monkeypatch):
    monkeypatch.setenv(settings.s3_secret_key_env, "no secret of anybody")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        objects(settings).list_objects_v2(Bucket=settings.s3_bucket)


def test_s3_with_a_certificate_of_a_foreign_authority_is_not_spoken_to(settings, foreign):
    with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        objects(settings, s3_ca_file=foreign).list_buckets()


def test_s3_refuses_plain_text(settings):
    with pytest.raises(ConnectionClosedError):
        objects(settings, s3_endpoint=settings.s3_endpoint.replace("https", "http")).list_buckets()


def test_the_stream_puts_and_gets_below_its_folder_and_deletes_nothing(settings):
    stream, keeper = objects(settings), objects(settings.as_keeper())
    inside = {"Bucket": settings.s3_bucket, "Key": "warehouse/demo/file"}
    outside = inside | {"Key": "elsewhere/file"}
    stream.put_object(**inside, Body=b"text")
    assert stream.get_object(**inside)["Body"].read() == b"text"
    for deed in (
        lambda: stream.delete_object(**inside),
        lambda: stream.put_object(**outside, Body=b"text"),
        lambda: stream.delete_bucket(Bucket=settings.s3_bucket),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            deed()
    listed = stream.delete_objects(Bucket=settings.s3_bucket, Delete={"Objects": [{"Key": inside["Key"]}]})
    assert [each["Code"] for each in listed["Errors"]] == ["AccessDenied"]
    keeper.delete_object(**inside)


def test_no_other_door_of_seaweedfs_gives_what_it_holds(settings):
    objects(settings).put_object(Bucket=settings.s3_bucket, Key="warehouse/hidden", Body=b"hidden text")
    ports = json.loads((settings.data_path / "servers.json").read_text())["s3"]["ports"]
    for name in ("master", "filer"):
        path = f"buckets/{settings.s3_bucket}/warehouse/hidden" if name == "filer" else "dir/assign"
        assert requests.get(f"http://127.0.0.1:{ports[name]}/{path}", timeout=5).status_code == 404
    for name in ("master-grpc", "volume-grpc", "filer-grpc", "s3-grpc"):
        with socket.create_connection(("127.0.0.1", ports[name]), 5) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            assert b"\x00\x00" not in plain.recv(9)[:2]  # a server in plain text answers with its settings


# -- Trino -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queried(shared: LocalServers, left: list[bytes]) -> Iterator[Settings]:
    """Trino beside the others, and an archive; it is stopped again, since no other test needs it."""
    try:
        java.find(Trino.need)
    except PlatformError as missing:
        pytest.skip(str(missing))
    complete(shared).up(extra=["trino"])
    yield shared.settings
    shared.stop("trino")


def test_trino_answers_over_tls_whoever_bears_a_token_and_nobody_else(queried, foreign, monkeypatch):
    text = f"SELECT count(*) AS events FROM {queried.iceberg_table}"
    with closing(trino.Trino.of(queried).connect()) as analyst:
        # It answers some seconds before it knows that its own node has the catalogue.
        assert polling.until(lambda: counted(analyst, text) > 0, 60)
    for wrong in ("no-token", issuer.tokens(queried.tls_path, "nessie", ["reader"])["reader"]):
        monkeypatch.setenv(queried.trino_token_env, wrong)
        with closing(trino.Trino.of(queried).connect()) as stranger, pytest.raises(HttpError, match="401"):
            trino.ask(stranger, text)
    nobody = queried.model_copy(update={"servers": "external"})
    monkeypatch.delenv(queried.trino_token_env)
    with closing(trino.Trino.of(nobody).connect()) as stranger, pytest.raises(HttpError, match="401"):
        trino.ask(stranger, text)
    assert trino.Trino.of(queried.model_copy(update={"trino_ca_file": foreign})).version() is None
    plain = queried.model_copy(update={"trino_uri": queried.trino_uri.replace("https", "http")})
    assert trino.Trino.of(plain).version() is None


def counted(analyst: Connection, text: str) -> int:
    with suppress(TrinoQueryError):
        return trino.ask(analyst, text)["events"][0]
    return 0


def test_trinos_inner_port_takes_no_query(queried):
    port = json.loads((queried.data_path / "servers.json").read_text())["trino"]["ports"]["internal"]
    answer = requests.post(f"http://127.0.0.1:{port}/v1/statement", "SELECT 1", headers={"X-Trino-User": "x"})
    assert answer.status_code in (401, 403)


def test_the_local_file_of_secrets_serves_every_leg(settings: Settings):
    named = {name for name in Settings.model_fields if name.endswith("_env") and settings.secret(name)}
    legs = ("kafka_user", "kafka_password", "opensearch_user", "opensearch_password", "nessie_token", "s3_secret_key")
    assert {f"{leg}_env" for leg in legs} - named == set()
