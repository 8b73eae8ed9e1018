"""What JupyterLab opens: copies of the notebooks, and a page of welcome."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from dualsink import invocation
from dualsink.settings import Settings
from dualsink_workbench import jupyter
from dualsink_workbench.runner import runner


@pytest.fixture
def values(tmp_path) -> dict[str, str]:
    """Folders of the test's own."""
    return {"runs_dir": str(tmp_path / "runs")}


def test_the_defaults_are_copied_as_they_are(values):
    folder = jupyter.notebooks(Settings(**values))
    source = runner.all_notebooks()[0].parent
    names = {file.relative_to(source) for file in source.rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts}
    assert {file.relative_to(folder) for file in folder.rglob("*.ipynb")} == names
    assert all((folder / name).read_bytes() == (source / name).read_bytes() for name in names)


def test_starts_in_the_same_second_have_a_folder_each(values):
    with ThreadPoolExecutor(4) as starts:
        folders = list(starts.map(lambda _: jupyter.notebooks(Settings(**values)), range(4)))
    assert len(set(folders)) == 4
    assert all((folder / "welcome.md").read_text(encoding="utf-8").count(f"`{folder}`") == 1 for folder in folders)


def test_other_settings_are_in_the_copies(values):
    folder = jupyter.notebooks(Settings(num_log_events=5, **values))
    cells = nbformat.read(folder / "02_produce.ipynb", nbformat.NO_CONVERT).cells
    (injected,) = [cell.source for cell in cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert "num_log_events = 5" in injected and str(folder / "params.yaml") in injected


def test_the_page_of_welcome_has_the_order_the_environment_and_the_results(values, tmp_path):
    for run in ("20261101-000000-local", "20261102-000000-local"):
        (tmp_path / "runs" / run).mkdir(parents=True)
    (tmp_path / "runs" / "20261102-000000-local" / "index.html").touch()
    invocation.choose(" --env demo")
    folder = jupyter.notebooks(Settings(environment="demo", **values))
    page = (folder / "welcome.md").read_text(encoding="utf-8")
    assert page.startswith("# dualsink, environment `demo`\n") and str(folder) in page
    links = [line.split("]")[0][3:] for line in page.splitlines() if line.startswith("| [")]
    assert links == [*(file.stem for file in runner.all_notebooks()), "class", "explorer"]
    assert "| [01_setup](01_setup.ipynb) | We make a place for every event before the first one arrives |\n" in page
    assert "| run of before | [20261102-000000-local](../20261102-000000-local/index.html) |\n" in page
    assert "20261101" not in page and "`./run_all.sh explore --env demo`" in page


def test_jupyterlab_opens_that_page_and_asks_for_no_news(values):
    folder = jupyter.notebooks(Settings(**values))
    options = dict(part.removeprefix("--").split("=", 1) for part in jupyter.command(folder) if "=" in part)
    assert options["LabApp.default_url"] == "/lab/tree/welcome.md" and options["ServerApp.root_dir"] == str(folder)
    assert Path(options["LabApp.workspaces_dir"]).parent == folder
    assert options["KernelManager.transport_encryption"] == "auto"
    overrides = json.loads((Path(options["LabApp.app_settings_dir"]) / "overrides.json").read_text())
    assert overrides["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"] == {"markdown": "Markdown Preview"}
