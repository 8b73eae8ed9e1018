"""What deploy/ promises: Kubernetes takes the manifests as they are written, and they fit the library and the image."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubeflow_spark_api import models
from pydantic import BaseModel, ValidationError

from dualsink.cli import main, submit
from dualsink.settings import Settings, project_root

DEPLOY = project_root(Path(__file__)) / "deploy"
MODELS = {
    "SparkApplication": models.SparkV1beta2SparkApplication,
    "ScheduledSparkApplication": models.SparkV1beta2ScheduledSparkApplication,
    "ConfigMap": models.IoK8sApiCoreV1ConfigMap,
}
# The models take any string here; these are the operator's values.
CHOICES = {
    ("type",): {"Python"},
    ("mode",): {"cluster"},
    ("restartPolicy", "type"): {"Never", "OnFailure", "Always"},
}


def objects() -> dict[str, dict[str, Any]]:
    """Every object of deploy/k8s by its name."""
    files = sorted((DEPLOY / "k8s").glob("*.yaml"))
    found = [each for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    return {each["metadata"]["name"]: each for each in found}


OBJECTS = objects()
SPECS = {
    name: each["spec"]["template"] if each["kind"] == "ScheduledSparkApplication" else each["spec"]
    for name, each in OBJECTS.items()
    if each["kind"].endswith("SparkApplication")
}


def ignored(given: Any, understood: Any, path: str = "") -> list[str]:
    """Paths that stand in an object and that its model did not take; the models leave unknown keys out silently."""
    if isinstance(given, dict):
        return [
            problem
            for key, value in given.items()
            for problem in (
                ignored(value, understood[key], f"{path}.{key}") if key in (understood or {}) else [f"{path}.{key}"]
            )
        ]
    if isinstance(given, list):
        pairs = zip(given, understood, strict=True)
        return [problem for i, pair in enumerate(pairs) for problem in ignored(*pair, f"{path}[{i}]")]
    return [] if given == understood else [f"{path}: {given!r} became {understood!r}"]


def check(wanted: dict[str, Any]) -> list[str]:
    """What the operator's models object to in an object."""
    model: type[BaseModel] = MODELS[wanted["kind"]]
    try:
        understood = model.model_validate(wanted)
    except ValidationError as error:
        return [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
    return ignored(wanted, understood.model_dump(by_alias=True, exclude_unset=True))


def paths(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of every key in an object, however deep."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in steps:
        if isinstance(value, dict):
            yield (*path, step)
        yield from paths(below, (*path, step))


def misspelt(wanted: dict[str, Any], path: tuple) -> dict[str, Any]:
    """The object with one key that bears a letter too many."""
    wrong = copy.deepcopy(wanted)
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[f"{path[-1]}x"] = place.pop(path[-1])
    return wrong


# -- every key -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTS)
def test_the_operators_own_models_take_every_key_and_value(name):
    assert check(OBJECTS[name]) == []


@pytest.mark.parametrize("name", SPECS)
def test_no_key_can_be_misspelt_without_being_noticed(name):
    names = {"kind"}
    unnoticed = [p for p in paths(OBJECTS[name]) if p[-1] not in names and check(misspelt(OBJECTS[name], p)) == []]
    assert unnoticed == []


def test_a_misspelt_key_is_named_with_its_place():
    wrong = misspelt(OBJECTS["dualsink-stream"], ("spec", "driver", "volumeMounts", 0, "mountPath"))
    assert check(wrong) == ["spec.driver.volumeMounts.0.mountPath: Field required"]
    wrong = misspelt(OBJECTS["dualsink-stream"], ("spec", "restartPolicy", "onFailureRetryInterval"))
    assert check(wrong) == [".spec.restartPolicy.onFailureRetryIntervalx"]


def test_a_number_in_quotes_is_refused():
    wrong = copy.deepcopy(OBJECTS["dualsink-stream"])
    wrong["spec"]["executor"]["cores"] = "2"
    assert check(wrong) == ["spec.executor.cores: Input should be a valid integer"]


@pytest.mark.parametrize("name", SPECS)
def test_choices_are_those_of_the_operator(name):
    assert OBJECTS[name]["apiVersion"] == "sparkoperator.k8s.io/v1beta2"
    for path, values in CHOICES.items():
        value = SPECS[name]
        for step in path:
            value = value[step]
        assert value in values


def test_maintenance_waits_for_its_predecessor():
    assert OBJECTS["dualsink-maintenance"]["spec"]["concurrencyPolicy"] == "Forbid"


# -- what they name exists -----------------------------------------------------------------------------


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """The params file of the ConfigMap."""
    file = tmp_path / "params.yaml"
    file.write_text(OBJECTS["dualsink-params"]["data"]["params.yaml"])
    return file


def arguments(name: str, params: Path) -> list[str]:
    return [each.replace("/etc/dualsink/params.yaml", str(params)) for each in SPECS[name]["arguments"]]


def test_the_streams_arguments_and_params_are_settings_of_an_endless_stream(params):
    settings = submit.settings_of(arguments("dualsink-stream", params))
    assert (settings.streaming_mode, settings.streaming_duration_seconds) == ("live", 0)
    assert (settings.servers, settings.spark_master) == ("external", "")


def test_the_params_alone_leave_spark_to_spark_submit(params):
    assert Settings.load([params]).spark_master == ""


@pytest.mark.parametrize("name", SPECS)
def test_main_file_params_and_state_are_in_the_image_or_mounted(name, params):
    spec, settings = SPECS[name], Settings.load([params])
    assert (DEPLOY / spec["mainApplicationFile"].removeprefix("local:///opt/dualsink/")).is_file()
    assert "--params=/etc/dualsink/params.yaml" in spec["arguments"]
    assert spec["driver"]["configMaps"] == [{"name": "dualsink-params", "path": "/etc/dualsink"}]
    (mount,) = spec["driver"]["volumeMounts"]
    assert mount["name"] == spec["volumes"][0]["name"]
    assert settings.checkpoint_path.is_relative_to(mount["mountPath"])
    assert settings.runs_path.is_relative_to(mount["mountPath"])


def test_commands_are_those_of_the_command_line():
    known = {command.name for command in main.COMMANDS}
    called = {spec["arguments"][0] for spec in SPECS.values() if spec["mainApplicationFile"].endswith("/command.py")}
    assert called == {"setup", "maintain"} and called <= known


def test_the_checkpoint_outlives_the_pod_and_nothing_else_has_to(params):
    settings = submit.settings_of(arguments("dualsink-stream", params))
    assert settings.checkpoint_url == f"s3://{settings.s3_bucket}/checkpoints/{settings.kafka_topic}"
    assert [volume["emptyDir"] for spec in SPECS.values() for volume in spec["volumes"]] == [{}] * len(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_driver_and_executors_get_every_key_from_a_secret(name, params):
    settings = Settings.load([params])
    fields = ("s3_access_key_env", "s3_secret_key_env", "opensearch_user_env", "opensearch_password_env")
    wanted = {getattr(settings, field) for field in fields}
    for pod in (SPECS[name]["driver"], SPECS[name]["executor"]):
        assert {each["name"] for each in pod["env"]} == wanted
        assert all("secretKeyRef" in each["valueFrom"] for each in pod["env"])


# -- the image -----------------------------------------------------------------------------------------


@pytest.fixture
def dockerfile() -> str:
    """The image's Dockerfile."""
    return (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def pinned(root: Path, package: str) -> str:
    return re.search(rf"^{package}==(.+)$", (root / "constraints.txt").read_text(), re.M)[1]


def test_manifests_and_image_use_the_spark_of_the_lock_file(root, dockerfile):
    assert {spec["sparkVersion"] for spec in SPECS.values()} == {pinned(root, "pyspark")}
    assert re.search(r"^FROM apache/spark:([\d.]+)-", dockerfile, re.M)[1] == pinned(root, "pyspark")


def test_what_the_image_copies_exists_and_is_let_through(root, dockerfile):
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.M)
    sources = {source for line in lines for source in line.split()}
    passed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert [source for source in sources if not (root / source).exists() or f"!{source}" not in passed] == []


def test_the_image_holds_every_main_file(dockerfile):
    files = {spec["mainApplicationFile"].removeprefix("local:///opt/dualsink/") for spec in SPECS.values()}
    assert [file for file in files if f"deploy/{file}" not in dockerfile] == []


def test_the_images_user_is_the_one_that_the_pods_run_as(dockerfile):
    (user,) = re.findall(r"^USER (\d+)$", dockerfile, re.M)
    assert {spec["driver"]["podSecurityContext"]["runAsUser"] for spec in SPECS.values()} == {int(user)}
