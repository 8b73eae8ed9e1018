"""The DAG without a scheduler: what its papermill operator does, twice, with only the notebooks and the package."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import papermill
import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from dualsink.notebook import results
from dualsink.settings import PARAMS_FILE, Settings, project_root, read_params
from dualsink_workbench.servers.stack import LocalServers

ROOT = project_root(Path(__file__))
DAG = ROOT / "deploy" / "airflow" / "dualsink_dag.py"
RUNS = ("manual__2026-11-25T14:00:00.000001+00:00", "manual__2026-11-25T15:00:00.000001+00:00")


@pytest.fixture(scope="module")
def constants() -> dict:
    """The DAG's constants, evaluated without Airflow, with STATE in place of its name."""
    found: dict = {}
    for node in ast.parse(DAG.read_text()).body:
        if isinstance(node, ast.Assign):
            found[node.targets[0].id] = eval(compile(ast.Expression(node.value), DAG.name, "eval"), {}, found)
    return found


def test_every_parameter_is_a_string_that_settings_know(constants):
    parameters = constants["PARAMETERS"]
    assert [name for name, value in parameters.items() if not isinstance(value, str)] == []
    assert parameters.keys() - Settings.model_fields.keys() == {PARAMS_FILE}


def test_the_params_file_keeps_its_state_where_the_dag_does(constants):
    settings = Settings.load([DAG.with_name("params.yaml")])
    assert (settings.data_dir, settings.runs_dir) == (constants["STATE"], f"{constants['STATE']}/runs")
    assert settings.servers == "external"


def test_every_stage_is_a_notebook_that_declares_every_parameter(constants):
    for stage in constants["STAGES"]:
        declared = papermill.inspect_notebook(ROOT / "notebooks" / f"{stage}.ipynb")
        assert [name for name in constants["PARAMETERS"] if name not in declared] == []


# -- as the operator does ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a worker has it: built and installed, not linked to the checkout."""
    site, source = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "lib", source / "lib", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(source)]
    subprocess.run(pip, check=True)
    return site


@pytest.fixture(scope="module")
def worker(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A worker's current folder, empty, with the installed package before any other."""
    folder, patch = tmp_path_factory.mktemp("worker"), pytest.MonkeyPatch()
    patch.chdir(folder)
    patch.setenv("PYTHONPATH", str(installed))
    yield folder
    patch.undo()


@pytest.fixture(scope="module")
def params(local: Settings, worker: Path) -> Path:
    """The worker's params file, with the addresses, keys and folders of this test."""
    values = read_params(DAG.with_name("params.yaml")) | {"malformed_share": 0.05, "spark_driver_memory": "1g"}
    values |= {name: getattr(local, name) for name in ("nessie_uri", "s3_endpoint")}
    values |= {name: getattr(local, name) for name in ("s3_access_key_env", "s3_secret_key_env")}
    values |= {"data_dir": str(worker / "state"), "runs_dir": str(worker / "state" / "runs")}
    file = worker / "state" / "params.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(values))
    return file


@pytest.fixture(scope="module")
def parameters(constants: dict, local: Settings, params: Path) -> dict[str, str]:
    """The DAG's parameters with the addresses of the test's servers, and names of this module's own."""
    addresses = ("kafka_bootstrap_servers", "opensearch_host", "opensearch_port")
    here = {name: str(getattr(local, name)) for name in addresses}
    own = {"kafka_topic": "airflow", "iceberg_table": "airflow", "opensearch_index": "airflow"}
    return constants["PARAMETERS"] | here | own | {PARAMS_FILE: str(params)}


@pytest.fixture(scope="module")
def notebooks(constants: dict, worker: Path) -> Path:
    """All that is put on the worker beside its state: the notebooks."""
    folder = worker / "notebooks"
    folder.mkdir()
    for stage in constants["STAGES"]:
        shutil.copy(ROOT / "notebooks" / f"{stage}.ipynb", folder)
    return folder


@pytest.fixture(scope="module")
def first(servers: LocalServers, constants: dict, parameters: dict, notebooks: Path) -> Settings:
    """Settings of the first run, after its notebooks were executed."""
    return run(constants["STAGES"], rendered(parameters, RUNS[0]), notebooks)


@pytest.fixture(scope="module")
def second(first: Settings, constants: dict, parameters: dict, notebooks: Path) -> Settings:
    """Likewise of the second."""
    return run(constants["STAGES"], rendered(parameters, RUNS[1]), notebooks)


def rendered(parameters: dict[str, str], run_id: str) -> dict[str, str]:
    """The parameters as Airflow's templates become."""
    engine = Environment(undefined=StrictUndefined, autoescape=False)
    context = {"run_id": run_id, "dag_run": SimpleNamespace(run_after=datetime.now(UTC))}
    return {name: engine.from_string(value).render(context) for name, value in parameters.items()}


def run(stages: tuple[str, ...], parameters: dict[str, str], notebooks: Path) -> Settings:
    """Execute notebooks with the call, and the arguments, of Airflow's operator."""
    for stage in stages:
        papermill.execute_notebook(
            str(notebooks / f"{stage}.ipynb"),
            str(Path(parameters[PARAMS_FILE]).with_name(f"{parameters['run_id']}--{stage}.ipynb")),
            parameters=parameters,
            progress_bar=False,
            report_mode=True,
            log_output=False,
            kernel_name="python3",
            language="python",
            engine_name=None,
        )
    given = {name: value for name, value in parameters.items() if name != PARAMS_FILE}
    return Settings.load([parameters[PARAMS_FILE]], given)


def streamed(settings: Settings) -> tuple[int, ...]:
    """Events, rows added, documents created, and documents met again."""
    totals = results.read(settings.run_path, "03_stream")["result"]
    return tuple(totals[name] for name in ("events", "archived", "created", "existing"))


def records_of(ledger: dict) -> tuple[int, ...]:
    """Records in Kafka, archive and quarantine, and documents in OpenSearch."""
    partitions = (sum(line[store] for line in ledger["partitions"]) for store in ("kafka", "archive", "quarantine"))
    return (*partitions, sum(line["opensearch"] for line in ledger["days"]))


def test_the_first_run_streams_its_events_and_the_ledger_holds(first):
    ledger = results.ledger(first.run_path)
    assert (streamed(first), ledger["holds"]) == ((200, 190, 190, 0), True)
    assert records_of(ledger) == (200, 190, 10, 190)


def test_the_second_adds_exactly_its_own_doubles_nothing_and_the_ledger_holds(second):
    ledger = results.ledger(second.run_path)
    assert (streamed(second), ledger["holds"]) == ((200, 190, 190, 0), True)
    assert records_of(ledger) == (400, 380, 20, 380)


def test_the_notebooks_used_the_installed_package_and_left_the_workers_folder_as_it_was(second, installed, worker):
    where = subprocess.run(
        [sys.executable, "-c", "import dualsink; print(dualsink.__file__)"],
        cwd=worker, env=os.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(installed)
    assert sorted(entry.name for entry in worker.iterdir()) == ["notebooks", "state"]
