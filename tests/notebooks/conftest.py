"""Running a notebook as papermill does, under pytest-notebook."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from pytest_notebook.nb_regression import NBRegressionFixture

from dualsink.notebook import results
from dualsink.settings import Settings, project_root
from dualsink_workbench.runner import parameters

# What differs from machine to machine, or from the notebook as it is committed to the notebook as it ran.
VOLATILE = ("/metadata", "/nbformat_minor", "/cells/*/metadata", "/cells/*/execution_count")
NOTEBOOKS = project_root(Path(__file__)) / "notebooks"

Pipeline = Callable[..., Settings]
Run = Callable[..., tuple[nbformat.NotebookNode, dict[str, Any] | None]]


@pytest.fixture(scope="session")
def own_pipeline(local: Settings, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Settings of a pipeline of that name, with topic, tables, index, checkpoint and run folder of its own."""

    def own(name: str, **changes: Any) -> Settings:
        folder = tmp_path_factory.mktemp(name)
        names = {"kafka_topic": name, "iceberg_table": name, "opensearch_index": name, "run_id": name}
        places = {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)}
        return local.model_copy(update={**names, **places, "spark_driver_memory": "1g", **changes})

    return own


@pytest.fixture(scope="session")
def run_notebook(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Execute one notebook of the suite, or `solutions/<stage>`, every parameter sent as a string as Airflow does it.

    Returns the executed notebook and what it recorded. A cell's error is raised unless `raise_errors` is off.
    """
    folder = tmp_path_factory.mktemp("parameterized")

    def run(stage: str, settings: Settings, raise_errors: bool = True):
        notebook = load_notebook_node(str(NOTEBOOKS / f"{stage}.ipynb"))
        params = parameters.write(settings, folder / f"{stage}.yaml")
        declared = parameters.for_notebook(NOTEBOOKS / f"{stage}.ipynb", settings, params)
        strings = {name: str(value) for name, value in declared.items()}
        file = folder / f"{stage}.ipynb"
        file.parent.mkdir(exist_ok=True)
        nbformat.write(parameterize_notebook(notebook, strings), file)
        runner = NBRegressionFixture(
            exec_cwd=str(NOTEBOOKS), exec_timeout=300, diff_ignore=(*VOLATILE, "/cells/*/outputs"), diff_use_color=False
        )
        executed = runner.check(str(file), raise_errors=raise_errors).nb_final
        return executed, results.read(settings.run_path, stage)

    return run
