"""Archives of classes: recorded once, used from then on, whatever a killed JVM left."""

from pathlib import Path

import pytest

from dualsink.spark import java
from dualsink.spark.class_archive import Classes
from dualsink_workbench.servers.kafka import Kafka


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("DUALSINK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    file = tmp_path / "one.jar"
    file.write_bytes(b"a jar")
    return file


def classes(*jars: Path) -> Classes:
    return Classes("server", java.find(Kafka.need), jars)


def draft_of(options: list[str]) -> Path:
    return Path(options[0].removeprefix("-XX:ArchiveClassesAtExit="))


def test_without_an_archive_a_jvm_makes_one_where_that_is_asked_for(cache, jar):
    assert classes(jar).options(record=False) == []
    assert draft_of(classes(jar).options(record=True)).parent == cache / "classes"


def test_a_whole_draft_is_the_archive_from_then_on(cache, jar):
    draft = draft_of(classes(jar).options(record=True))
    draft.write_bytes(b"\xf0\x0b\xaf\x0c and classes")
    for record in (True, False):
        assert classes(jar).options(record)[0] == f"-XX:SharedArchiveFile={draft.with_suffix('.jsa')}"


def test_the_draft_of_a_killed_jvm_whose_head_was_not_written_is_not_used(cache, jar):
    draft_of(classes(jar).options(record=True)).write_bytes(b"\0\0\0\0 and classes")
    assert classes(jar).options(record=False) == []


def test_other_jars_need_another_archive(cache, jar, tmp_path):
    other = tmp_path / "two.jar"
    other.write_bytes(b"another jar")
    assert draft_of(classes(jar).options(record=True)) != draft_of(classes(jar, other).options(record=True))
