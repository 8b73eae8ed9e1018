"""Parameters mean the same everywhere: in Settings, in every notebook, in every params file."""

import ast
import re

import papermill
import pytest
import yaml

from dualsink.errors import SettingsError
from dualsink.settings import PARAMS_FILE, Settings, params_files
from dualsink_workbench.runner import parameters

TUTORIAL = [
    "execution_date",
    "environment",
    "database_name",
    "kafka_topic",
    "iceberg_table",
    "opensearch_index",
    "kafka_bootstrap_servers",
    "opensearch_host",
    "opensearch_port",
    "num_log_events",
    "streaming_duration_seconds",
    "enable_validation",
    "enable_cleanup",
]
FIELDS = list(Settings.model_fields)
LONGEST_CELL = 20
LINE = re.compile(r"([a-z0-9_]+): (str|int|float|bool) = ([^=#]+?)  # ([^=#]+)")


def parameters_source(notebook) -> str:
    return next(cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))


@pytest.fixture
def declared(notebook) -> dict[str, tuple[str, object]]:
    """Type and default of every parameter in the notebook's parameters cell, in order."""
    found = {}
    for node in ast.parse(parameters_source(notebook)).body:
        found[node.target.id] = (node.annotation.id, ast.literal_eval(node.value))
    return found


# -- notebooks and Settings ----------------------------------------------------------------------------


def test_every_line_is_flat_typed_and_explained(notebook):
    odd = [line for line in parameters_source(notebook).splitlines() if not LINE.fullmatch(line)]
    assert odd == []


def test_a_parameters_cell_is_short_enough_to_be_read(notebook):
    assert len(parameters_source(notebook).splitlines()) <= LONGEST_CELL


def test_only_parameters_of_settings_are_declared_and_the_file_of_all_others(declared):
    assert [name for name in declared if name not in FIELDS] == [PARAMS_FILE]


def test_the_tutorials_names_are_declared(lesson):
    source = parameters_source(lesson)
    assert [name for name in TUTORIAL if f"{name}: " not in source] == []


def test_they_stand_in_the_order_of_settings(declared):
    names = [name for name in declared if name != PARAMS_FILE]
    assert names == sorted(names, key=FIELDS.index)


def test_types_are_those_of_the_defaults(declared):
    assert {name: kind for name, (kind, value) in declared.items() if kind != type(value).__name__} == {}


def test_defaults_are_those_of_settings(declared):
    known = {name: field.default for name, field in Settings.model_fields.items()} | {PARAMS_FILE: ""}
    assert {name: value for name, (_, value) in declared.items()} == {name: known[name] for name in declared}


def test_a_notebook_without_injected_parameters_gets_the_default_settings(declared):
    namespace = {name: value for name, (_, value) in declared.items()}
    assert Settings.from_notebook(namespace | {"In": [], "pd": object()}) == Settings()


def test_papermills_inspector_sees_every_parameter_with_its_type_and_help(notebook_file, declared):
    seen = papermill.inspect_notebook(notebook_file)
    assert {name: p["inferred_type_name"] for name, p in seen.items()} == {n: kind for n, (kind, _) in declared.items()}
    assert {name: ast.literal_eval(p["default"]) for name, p in seen.items()} == {
        n: v for n, (_, v) in declared.items()
    }
    assert [name for name, p in seen.items() if not p["help"]] == []


def test_a_meaning_can_be_read_without_the_parameter_before_it():
    leaning = re.compile(r"^(Its|Of)\b|holds its|it keeps|moves there|(that|such a) (user|certificate|one|file)\b")
    meanings = {name: field.description for name, field in Settings.model_fields.items()}
    assert {name: text for name, text in meanings.items() if leaning.search(text)} == {}


def test_a_parameter_is_explained_alike_in_every_notebook(root):
    helps: dict[str, set[str]] = {}
    for file in sorted((root / "notebooks").rglob("*.ipynb")):
        for name, parameter in papermill.inspect_notebook(file).items():
            helps.setdefault(name, set()).add(parameter["help"])
    assert {name: texts for name, texts in helps.items() if len(texts) > 1} == {}


# -- params files --------------------------------------------------------------------------------------


def test_a_params_file_is_accepted_by_settings(params_file):
    Settings.load(params_files(params_file.stem) if params_file.stem != "base" else [params_file])


def test_a_params_file_explains_every_value(params_file):
    lines = [line for line in params_file.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    assert [line for line in lines if "  # " not in line] == []


def test_an_environment_is_named_after_its_file(params_file):
    if params_file.stem != "base":
        assert yaml.safe_load(params_file.read_text(encoding="utf-8"))["environment"] == params_file.stem


def test_base_and_local_together_are_the_defaults():
    assert Settings.load(params_files("local")) == Settings()


def test_local_environments_do_not_collide(root):
    addresses: dict[str, list[str]] = {}
    for file in sorted((root / "params").glob("*.yaml")):
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        if values.get("servers") == "local":
            for name in ("kafka_bootstrap_servers", "opensearch_port", "nessie_uri", "s3_endpoint"):
                addresses.setdefault(str(values[name]), []).append(file.stem)
    assert {address: files for address, files in addresses.items() if len(files) > 1} == {}


# -- strings, as Airflow sends them --------------------------------------------------------------------


def as_injected(values: dict[str, object]) -> dict[str, object]:
    """A notebook's globals after papermill injected `values`: the variables, and the cell's source in `In`."""
    cell = "# Parameters\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items()) + "\n"
    return values | {"In": ["", "parameters", cell]}


def test_every_parameter_survives_being_sent_as_a_string(params_file):
    settings = Settings.load(params_files(params_file.stem) if params_file.stem != "base" else [params_file])
    strings = {name: str(value) for name, value in settings.parameters().items()}
    assert Settings.from_notebook(as_injected(strings)) == settings


@pytest.mark.parametrize("environment", ["ci", "demo", "openlakes"])
def test_the_name_of_an_environment_is_enough(declared, environment):
    namespace = {name: value for name, (_, value) in declared.items()} | as_injected({"environment": environment})
    assert Settings.from_notebook(namespace) == Settings.load(params_files(environment))


def test_what_a_run_injects_are_declared_parameters_and_a_file_of_all(notebook_file, declared, tmp_path):
    settings = Settings.load(params_files("ci"), {"run_id": "r", "environment": "mine", "bulk_max_documents": 3})
    file = parameters.write(settings, tmp_path / "params.yaml")
    injected = dict(parameters.for_notebook(notebook_file, settings, file))
    assert injected.keys() == declared.keys()
    assert Settings.from_notebook(as_injected(injected)) == settings


@pytest.mark.parametrize(("text", "value"), [("False", False), ("True", True), ("false", False), ("0", False)])
def test_a_flag_sent_as_a_string_means_what_it_says(text, value):
    assert Settings.from_notebook(as_injected({"enable_cleanup": text})).enable_cleanup is value


def test_a_number_sent_as_a_string_is_a_number():
    settings = Settings.from_notebook(as_injected({"num_log_events": "200", "malformed_share": "0.25"}))
    assert (settings.num_log_events, settings.malformed_share) == (200, 0.25)


@pytest.mark.parametrize("text", ["maybe", "", "None"])
def test_a_flag_that_says_nothing_is_refused_by_name(text):
    with pytest.raises(SettingsError, match="enable_cleanup"):
        Settings.from_notebook(as_injected({"enable_cleanup": text}))


def test_an_injected_name_that_is_no_parameter_is_refused_with_the_nearest_one():
    with pytest.raises(SettingsError, match="num_log_event .did you mean num_log_events"):
        Settings.from_notebook(as_injected({"num_log_event": "200"}))


# -- secrets -------------------------------------------------------------------------------------------


def test_no_parameter_holds_a_secret_but_only_the_name_of_a_variable(declared):
    suspicious = [name for name in declared if re.search(r"password|secret|token|access_key|user", name)]
    assert [name for name in suspicious if not name.endswith("_env")] == []
    assert [value for name in suspicious if not re.fullmatch(r"[A-Z][A-Z0-9_]+", value := declared[name][1])] == []


def test_no_params_file_holds_a_secret(params_file):
    values = yaml.safe_load(params_file.read_text(encoding="utf-8"))
    names = r"password|secret|token(?!_url)|access_key|user|client_id"
    suspicious = {k: v for k, v in values.items() if re.search(names, k)}
    assert [k for k, v in suspicious.items() if not re.fullmatch(r"[A-Z][A-Z0-9_]+", v)] == []
