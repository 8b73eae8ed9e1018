"""The cache of JVM artifacts: keyed by pins, whole or not there, and clear about what went wrong."""

import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections import namedtuple

import pytest

from dualsink.errors import PlatformError
from dualsink.spark import jars

LOCK = """<ivy-module version="2.0"><dependencies>
  <dependency conf="kafka->default" org="org.apache.kafka" name="kafka_2.13" rev="{kafka}"/>
  <dependency conf="nessie->default" org="org.projectnessie.nessie" name="nessie-quarkus" rev="0.99.0"/>
</dependencies></ivy-module>"""
CONFS = ("spark", "kafka", "opensearch", "nessie", "trino", "connect", "connect-iceberg", "axe")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of its own."""
    monkeypatch.setenv("DUALSINK_CACHE", str(tmp_path))
    monkeypatch.setattr(jars, "SUMS_FILE", tmp_path / "jars.sha256")
    return tmp_path


def lock_file(tmp_path, text):
    file = tmp_path / "ivy.xml"
    file.write_text(text)
    return file


def pretend_ivy(conf, work, progress):
    """What a download leaves behind, without the network."""
    (work / "jars").mkdir()
    (work / "jars" / "one-1.0.jar").write_bytes(b"12345")
    locked(work / "jars")


def locked(folder):
    """Lock the files of a folder by their checksums."""
    lines = (f"{digest}  {name}\n" for name, digest in jars._sums(folder).items())
    jars.SUMS_FILE.write_text("".join(lines))


def test_the_key_changes_with_a_pin_of_its_own_configuration_only(tmp_path):
    before = {conf: jars.key(conf, lock_file(tmp_path, LOCK.format(kafka="4.3.1"))) for conf in ("kafka", "nessie")}
    after = {conf: jars.key(conf, lock_file(tmp_path, LOCK.format(kafka="4.3.2"))) for conf in ("kafka", "nessie")}
    assert before["kafka"] != after["kafka"]
    assert before["nessie"] == after["nessie"]


def test_the_key_ignores_layout_and_comments(tmp_path):
    plain = LOCK.format(kafka="4.3.1")
    airy = plain.replace("<dependencies>", "<dependencies><!-- why -->\n\n").replace(' name="', '\n    name="')
    assert jars.key("kafka", lock_file(tmp_path, plain)) == jars.key("kafka", lock_file(tmp_path, airy))


def test_an_unknown_configuration_is_named():
    with pytest.raises(KeyError, match="'zookeeper'"):
        jars.key("zookeeper")


@pytest.mark.parametrize("conf", CONFS)
def test_every_pin_of_the_lock_file_is_exact(conf):
    pins = [d for d in ET.parse(jars.LOCK_FILE).getroot().iter("dependency") if d.get("conf").startswith(f"{conf}->")]
    assert pins
    assert [pin.get("name") for pin in pins if not re.fullmatch(r"\d[\w.-]*", pin.get("rev"))] == []


def test_the_lock_file_names_no_host_beside_its_schema():
    assert re.findall(r"https?://(?!ant\.apache\.org/ivy/maven)\S+", jars.LOCK_FILE.read_text()) == []


def test_the_cache_folder_can_be_chosen_and_is_the_users_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("DUALSINK_CACHE", str(tmp_path))
    assert jars.cache_folder() == tmp_path
    monkeypatch.delenv("DUALSINK_CACHE")
    assert jars.cache_folder().name == "dualsink"


def test_a_second_fetch_does_nothing(cache, monkeypatch):
    monkeypatch.setattr(jars, "_run_ivy", pretend_ivy)
    folder = jars.fetch("kafka", lambda line: None)
    monkeypatch.setattr(jars, "_run_ivy", lambda *a: pytest.fail("it ran Ivy again"))
    assert jars.fetch("kafka", lambda line: None) == folder
    assert [jar.name for jar in jars.jars("kafka")] == ["one-1.0.jar"]


def test_a_killed_download_is_done_again(cache, monkeypatch):
    leftover = cache / "jars" / f"kafka-{jars.key('kafka')}.part" / "jars"
    leftover.mkdir(parents=True)
    (leftover / "half.jar").write_bytes(b"1")
    monkeypatch.setattr(jars, "_run_ivy", pretend_ivy)
    folder = jars.fetch("kafka", lambda line: None)
    assert [jar.name for jar in folder.glob("*.jar")] == ["one-1.0.jar"]
    assert not leftover.exists()


def test_a_failed_download_leaves_nothing_that_looks_complete(cache, monkeypatch):
    def fail(conf, work, progress):
        raise PlatformError("no network")

    monkeypatch.setattr(jars, "_run_ivy", fail)
    with pytest.raises(PlatformError, match="no network"):
        jars.fetch("kafka", lambda line: None)
    assert [entry.suffix for entry in (cache / "jars").iterdir()] == [".lock"]


@pytest.mark.parametrize(("locked_as", "told"), [("0" * 64, "not 0{64}"), (None, "not known")])
def test_a_file_that_is_not_the_locked_one_is_not_kept(cache, monkeypatch, locked_as, told):
    def another(conf, work, progress):
        pretend_ivy(conf, work, progress)
        jars.SUMS_FILE.write_text(f"{locked_as}  one-1.0.jar\n" if locked_as else "")

    monkeypatch.setattr(jars, "_run_ivy", another)
    with pytest.raises(PlatformError, match=rf"one-1\.0\.jar is not the file that was locked .*{told}"):
        jars.fetch("kafka", lambda line: None)
    assert [entry.suffix for entry in (cache / "jars").iterdir()] == [".lock"]


@pytest.mark.parametrize("kind", ["gztar", "zip"])
def test_an_archive_is_unpacked_and_counts_by_what_was_in_it(cache, monkeypatch, kind):
    def archive(conf, work, progress):
        (work / "inside" / "lib").mkdir(parents=True)
        (work / "inside" / "lib" / "com....long-name.jar").write_bytes(b"12345")
        shutil.make_archive(work / "jars" / "server-1.0", kind, work / "inside")
        locked(work / "jars")

    monkeypatch.setattr(jars, "_run_ivy", archive)
    folder = jars.fetch("trino", lambda line: None)
    assert [file.name for file in folder.iterdir() if file.name != jars.MARKER] == ["lib"]
    assert jars.is_complete(folder)
    (folder / "lib" / "com....long-name.jar").unlink()
    assert not jars.is_complete(folder)


@pytest.mark.parametrize("damage", ["missing", "shortened", "no marker"])
def test_a_damaged_folder_is_not_complete(tmp_path, damage):
    jar = tmp_path / "one.jar"
    jar.write_bytes(b"12345")
    (tmp_path / jars.MARKER).write_text(json.dumps({"one.jar": 5}))
    assert jars.is_complete(tmp_path)
    {"missing": jar.unlink, "shortened": lambda: jar.write_bytes(b"1"), "no marker": (tmp_path / jars.MARKER).unlink}[
        damage
    ]()
    assert not jars.is_complete(tmp_path)


@pytest.mark.parametrize("conf", CONFS)
def test_a_disk_that_is_too_full_is_refused_before_the_download(cache, monkeypatch, conf):
    usage = namedtuple("usage", "total used free")
    free = jars.NEEDED_MB[conf] - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, free * 2**20))
    monkeypatch.setattr(jars, "_run_ivy", lambda *a: pytest.fail("it ran Ivy"))
    with pytest.raises(PlatformError, match=rf"{conf} jars needs about {free + 1} MB, .* has {free} MB free"):
        jars.fetch(conf, lambda line: None)


def test_a_failed_download_shows_the_end_of_ivys_output(cache, monkeypatch):
    broken = "<ivy-module version='2.0'><info organisation='o' module='m'/><configurations/></ivy-module>"
    monkeypatch.setattr(jars, "LOCK_FILE", lock_file(cache, broken))
    (cache / "work").mkdir()
    with pytest.raises(PlatformError) as caught:
        jars._run_ivy("kafka", cache / "work", lambda line: None)
    assert str(caught.value).startswith("Could not fetch the kafka jars. Ivy's last lines:")
    assert "kafka" in str(caught.value).split("last lines:")[1]
    assert str(caught.value).endswith("run it again.")
