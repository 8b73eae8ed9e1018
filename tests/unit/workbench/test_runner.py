"""The runner on small notebooks: what it prints, its exit status, and that it leaves no process behind."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
import pytest
from rich.console import Console

from dualsink.errors import SettingsError
from dualsink.settings import Settings
from dualsink_workbench.runner import runner
from dualsink_workbench.runner.console import running_cell
from dualsink_workbench.runner.runner import describe, find_notebooks

BEGIN = (
    "from dualsink.notebook import results\nfrom dualsink.settings import Settings\n"
    "settings = Settings.from_notebook(globals())"
)
LINE = {"topic": "t", "partition": 0, "beginning": 0, "end": 3, "kafka": 3, "archive": 2, "quarantine": 1}
DAY = {"day": "2026-11-23", "archive": 2, "opensearch": 2, "hot_refusals": 0}
MISSING = {"verdict": "missing", "store": "OpenSearch", "count": 1, "command": "repair", "note": ""}


def ledger(holds: bool) -> dict:
    return {
        "holds": holds,
        "taken_at": "now",
        "earlier": 0,
        "partitions": [LINE | {"holds": True}],
        "days": [DAY | {"holds": holds}],
        "differences": [],
        "verdicts": [] if holds else [MISSING | {"coordinates": ["t-0-2"]}],
    }


class Project:
    """Notebooks of a few lines, and runs of them."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "params").mkdir()
        (folder / "params" / "base.yaml").write_text("servers: external\nopensearch_port: 1\n")

    def notebook(self, stage: str, *cells: str) -> None:
        """A notebook that reads its settings and then runs `cells`."""
        code = [nbformat.v4.new_code_cell(source) for source in (BEGIN, *cells)]
        parameters = nbformat.v4.new_code_cell("seed: int = 7", metadata={"tags": ["parameters"]})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        file = self.folder / "notebooks" / f"{stage}.ipynb"
        file.parent.mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[parameters, *code], metadata=kernel), file)

    def run(self, *stages: str, **values: object) -> tuple[int, str, dict]:
        """Exit status, printed text and report of a run."""
        settings = Settings.load([self.folder / "params" / "base.yaml"], {"run_id": "r1", **values})
        out = io.StringIO()
        status = runner.run(settings, list(stages), Console(file=out, width=120, markup=False))
        return status, out.getvalue(), json.loads((self.folder / "runs" / "r1" / "report.json").read_text())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project in the current folder."""
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def recording(stage: str, result: object, fact: str) -> str:
    return f"results.record(settings.run_path, {stage!r}, {result!r}, {fact!r})"


# -- runs ----------------------------------------------------------------------------------------------


def test_a_run_prints_a_line_for_each_stage_and_the_ledger_and_succeeds(project):
    project.notebook("01_setup", recording("01_setup", {"seed": 1}, "all servers answer"))
    project.notebook("05_validate", recording("05_validate", {"ledger": ledger(True)}, "it holds"))
    status, text, report = project.run()
    assert status == 0
    assert "all servers answer" in text and "it holds" in text
    assert "The ledger holds" in text and "2026-11-23" in text and "0..3" in text
    assert "report.json" in text
    assert [(stage["name"], stage["status"]) for stage in report["stages"]] == [
        ("01_setup", "ok"),
        ("05_validate", "ok"),
    ]
    assert report["stages"][0]["result"] == {"seed": 1}
    assert report["ledger"] == ledger(True)
    assert (project.folder / "runs" / "r1" / "01_setup.ipynb").is_file()


def test_a_run_goes_on_with_named_stages_and_keeps_the_others_in_its_report(project):
    project.notebook("01_setup", recording("01_setup", {}, "made"))
    project.notebook("02_produce", recording("02_produce", {}, "sent"))
    _, _, first = project.run("01")
    status, _, report = project.run("02")
    assert status == 0
    assert [(stage["name"], stage["fact"]) for stage in report["stages"]] == [
        ("01_setup", "made"),
        ("02_produce", "sent"),
    ]
    assert report["started"] == first["started"]


def test_a_run_of_another_environment_does_not_go_on(project):
    project.notebook("01_setup", "1")
    project.run("01")
    with pytest.raises(SettingsError, match="in environment local, not other"):
        project.run("01", environment="other")


def test_a_run_that_failed_points_at_the_notebook_and_not_at_the_lab(project):
    project.notebook("01_setup", "1 / 0")
    _, text, _ = project.run()
    assert "Failed:" in text and "lab" not in text


def test_a_ledger_that_does_not_hold_fails_the_run_and_names_coordinates(project):
    project.notebook("05_validate", recording("05_validate", {"ledger": ledger(False)}, "apart"))
    status, text, report = project.run()
    assert (status, report["status"]) == (1, "failed")
    assert "DOES NOT HOLD" in text and "missing in OpenSearch: 1; `repair` ends it: t-0-2" in text


def test_a_validation_without_a_ledger_fails_the_run(project):
    project.notebook("05_validate", "1")
    status, text, _ = project.run()
    assert (status, "recorded no ledger" in text) == (1, True)


def test_a_failed_stage_stops_the_run_and_says_what_was_wrong_without_a_traceback(project):
    broken = "from dualsink.errors import MappingRefused\nraise MappingRefused('The mapping is wrong.\\nReindex.')"
    project.notebook("01_setup", broken)
    project.notebook("02_produce", "1")
    status, text, report = project.run()
    assert status == 1
    assert "MappingRefused: The mapping is wrong.\nReindex.\n" in text
    assert "runs/r1/01_setup.ipynb" in text.replace("\n", "")
    assert "Traceback" not in text
    assert [stage["status"] for stage in report["stages"]] == ["failed", "not run"]


def test_all_settings_reach_the_notebook_with_absolute_folders(project):
    project.notebook("01_setup", "results.record(settings.run_path, '01_setup', settings.parameters(), '')")
    _, _, report = project.run(seed="13", runs_dir="runs")
    assert report["stages"][0]["result"] == report["parameters"]
    assert report["parameters"]["seed"] == 13
    assert report["parameters"]["data_dir"] == str(project.folder / ".data" / "local")
    assert report["parameters"]["runs_dir"] == str(project.folder / "runs")


def test_a_run_notebook_shows_its_pictures(project):
    project.notebook(
        "01_setup", "from dualsink.notebook.plots import plt\nfigure, _ = plt.subplots()\nplt.close(figure)\nfigure"
    )
    status, _, _ = project.run()
    executed = nbformat.read(project.folder / "runs" / "r1" / "01_setup.ipynb", as_version=4)
    (output,) = [output for cell in executed.cells[-1:] for output in cell.outputs]
    assert (status, set(output.data)) == (0, {"image/png", "text/plain"})


def test_a_kernel_that_dies_is_a_failed_stage(project):
    project.notebook("01_setup", "import os; os._exit(1)")
    status, text, _ = project.run()
    assert (status, "kernel died" in text) == (1, True)


def test_what_a_notebook_started_is_gone_after_its_stage(project):
    project.notebook(
        "01_setup", "import subprocess\nchild = subprocess.Popen(['sleep', '600'])", "raise ValueError(child.pid)"
    )
    _, text, _ = project.run()
    pid = int(text.split("ValueError: ")[1].split()[0])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_server_that_a_notebook_restarted_outlives_its_stage(project):
    how = "env=os.environ | {'DUALSINK_SERVER': 'one'}, start_new_session=True"
    start = f"import os, subprocess\nchild = subprocess.Popen(['sleep', '600'], {how})"
    project.notebook("01_setup", start, "raise ValueError(child.pid)")
    _, text, _ = project.run()
    server = psutil.Process(int(text.split("ValueError: ")[1].split()[0]))
    assert server.status() != psutil.STATUS_ZOMBIE
    server.kill()


# -- signals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_end_leaves_its_folder_and_no_process(project, kind, status):
    project.notebook(
        "01_setup", "import os, pathlib, time", "pathlib.Path('pid').write_text(str(os.getpid()))", "time.sleep(600)"
    )
    arguments = ["run", "--env", "base", "--run-id", "r1"]
    process = subprocess.Popen([sys.executable, "-m", "dualsink", *arguments], cwd=project.folder)
    kernel = _await(lambda: int((project.folder / "notebooks" / "pid").read_text()))
    process.send_signal(kind)
    assert process.wait(60) == status
    assert not psutil.pid_exists(kernel)
    report = json.loads((project.folder / "runs" / "r1" / "report.json").read_text())
    assert (report["status"], report["stages"][0]["status"]) == ("interrupted", "interrupted")


def test_a_run_that_is_killed_leaves_neither_its_kernel_nor_the_process_that_it_came_from(project):
    project.notebook(
        "01_setup", "import os, pathlib, time", "pathlib.Path('pid').write_text(str(os.getpid()))", "time.sleep(600)"
    )
    project.notebook("02_produce", "pass")
    process = subprocess.Popen(
        [sys.executable, "-m", "dualsink", "run", "--env", "base", "--run-id", "r1"], cwd=project.folder
    )
    kernel = _await(lambda: int((project.folder / "notebooks" / "pid").read_text()))
    started = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert kernel in {each.pid for each in started}
    assert psutil.wait_procs(started, timeout=30)[1] == []


def _await(read: Callable[[], int], patience: float = 60) -> int:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            return read()
        except (OSError, ValueError):
            time.sleep(0.1)
    raise TimeoutError("The notebook did not start.")


# -- parts ---------------------------------------------------------------------------------------------


def test_a_stage_is_chosen_by_number_or_name_and_runs_in_order(project):
    for stage in ("01_setup", "02_produce", "03_stream"):
        project.notebook(stage, "1")
    assert [file.stem for file in find_notebooks(["03", "01_setup"])] == ["01_setup", "03_stream"]
    assert [file.stem for file in find_notebooks([])] == ["01_setup", "02_produce", "03_stream"]


def test_what_comes_after_the_ledger_runs_only_when_named(project):
    for stage in ("05_validate", "06_chaos"):
        project.notebook(stage, "1")
    assert [file.stem for file in find_notebooks([])] == ["05_validate"]
    assert [file.stem for file in find_notebooks(["06"])] == ["06_chaos"]


def test_a_project_without_notebooks_says_where_it_looked(project):
    with pytest.raises(SettingsError, match="No notebooks in"):
        find_notebooks([])


def test_a_run_id_is_made_of_time_and_environment():
    made = runner.with_run_id(Settings.from_values({"environment": "averylongenvironment", "runs_dir": os.devnull}))
    assert made.run_id.endswith("-averylongenv")
    assert time.strptime(made.run_id[:15], "%Y%m%d-%H%M%S")


def test_a_long_error_is_cut():
    lines = describe(ValueError("\n".join(str(number) for number in range(100)))).splitlines()
    assert lines[0] == "ValueError: 0"
    assert lines[-1] == "... 85 more lines in the notebook"


def test_the_running_cell_is_named_by_the_text_above_it(tmp_path):
    cells = [
        nbformat.v4.new_code_cell("1", metadata={"papermill": {"status": "completed"}}),
        nbformat.v4.new_markdown_cell("## Write the batches\n\nmore"),
        nbformat.v4.new_code_cell("2", metadata={"papermill": {"status": "running"}}),
        nbformat.v4.new_code_cell("3"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    assert running_cell(tmp_path / "n.ipynb") == "2/3 Write the batches"
    cells[1].source = "**Last, start it and `wait`.** Each start has a sink of its own."
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    assert running_cell(tmp_path / "n.ipynb") == "2/3 Last, start it and wait"
    assert running_cell(tmp_path / "absent.ipynb") == ""


def test_a_server_that_is_no_longer_there_is_named_with_what_its_log_says(tmp_path):
    log = tmp_path / "logs" / "kafka.log"
    log.parent.mkdir()
    log.write_text("10:00:01 INFO starting with -XX:+ExitOnOutOfMemoryError\n10:00:02 ERROR Disk error\n")
    lines = runner.dead_servers(Settings.from_values({"data_dir": str(tmp_path)}))
    assert [line.split()[0] for line in lines] == ["kafka", "opensearch", "nessie", "s3"]
    assert lines[0] == f"kafka is no longer running. Its log {log} says:\n  10:00:02 ERROR Disk error"
