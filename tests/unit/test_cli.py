"""The command line: what it refuses, how it says so, and with which exit status. No server is started."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dualsink import cli
from dualsink.errors import SettingsError

EXTERNAL = ("-p", "servers", "external")


class Answer(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two environments and a notebook that is never run; it is the current folder."""
    folder = tmp_path / "project"
    for name, text in {
        "params/base.yaml": "num_log_events: 200\n",
        "params/local.yaml": "environment: local\n",
        "params/remote.yaml": "environment: remote\nservers: external\n",
        "notebooks/01_setup.ipynb": "{}",
        "notebooks/03_stream.ipynb": "{}",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def dualsink(project: Path, capsys: pytest.CaptureFixture) -> Iterator[Callable[..., Answer]]:
    """Run the command line in this process; signal handlers and current folder are put back."""
    handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def call(*arguments: str) -> Answer:
        with pytest.raises(SystemExit) as end:
            cli.main(list(arguments))
        captured = capsys.readouterr()
        return Answer(end.value.code or 0, captured.out, captured.err)

    yield call
    for kind, handler in handlers.items():
        signal.signal(kind, handler)


# -- options -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "paired"),
    [
        (["run", "-p", "seed", "1"], ["run", "-p", "seed=1"]),
        (["run", "--param", "seed", "-1", "--env", "ci"], ["run", "--param", "seed=-1", "--env", "ci"]),
        (["-p", "a", "1", "-p", "b", "2"], ["-p", "a=1", "-p", "b=2"]),
        (["-p", "a=1", "up"], ["-p", "a=1", "up"]),
        (["-p", "input_path", "x=y"], ["-p", "input_path=x=y"]),
        (["-p", "seed"], ["-p", "seed"]),
        (["-p"], ["-p"]),
    ],
)
def test_a_parameter_takes_a_name_and_a_value(given, paired):
    assert cli.pair_parameters(given) == paired


@pytest.mark.parametrize("command", ["run", "up", "down", "status", "clean", "lab", "setup", "produce", "validate"])
def test_an_unknown_option_is_refused_by_name(dualsink, command):
    answer = dualsink(command, "--bogus")
    assert answer.status == 2
    assert "--bogus" in answer.err


def test_an_unknown_command_is_refused_by_name(dualsink):
    answer = dualsink("destroy")
    assert (answer.status, "destroy" in answer.err) == (2, True)


@pytest.mark.parametrize("command", ["run", "up", "status", "stream"])
def test_an_unknown_parameter_is_refused_with_the_nearest_one(dualsink, command):
    answer = dualsink(command, "-p", "kafka_topc", "x")
    assert answer.status == 2
    assert "kafka_topc (did you mean kafka_topic?)" in answer.err
    assert "Traceback" not in answer.err


def test_an_impossible_value_is_refused_by_name(dualsink):
    answer = dualsink("run", "-p", "num_log_events", "many")
    assert (answer.status, "num_log_events" in answer.err) == (2, True)


def test_a_parameter_without_a_value_is_refused(dualsink):
    answer = dualsink("run", "-p", "seed")
    assert answer.status == 2
    assert "-p seed lacks its value" in answer.err


def test_an_unknown_environment_is_refused_with_the_known_ones(dualsink):
    answer = dualsink("run", "--env", "moon")
    assert (answer.status, "local, remote" in answer.err) == (2, True)


def test_an_unknown_stage_is_refused_with_the_known_ones(dualsink):
    answer = dualsink("run", "--stages", "01,07")
    assert answer.status == 2
    assert "No stage 07: there are 01_setup, 03_stream." in answer.err


def test_a_run_id_that_exists_is_refused(dualsink, project):
    (project / "runs" / "again").mkdir(parents=True)
    (project / "runs" / "again" / "report.json").write_text("{}")
    answer = dualsink("run", "--run-id", "again")
    assert answer.status == 2
    assert "Run again exists already" in answer.err


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command(dualsink, option):
    answer = dualsink(option)
    assert answer.status == 0
    commands = "run lab up down status clean setup produce stream query validate"
    commands += " redrive replay repair retention maintain rehydrate retire audit"
    assert [name for name in commands.split() if name not in answer.out] == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("redrive", ["again with today's code", "what is good now", "the rest stays"]),
        ("replay", ["--from", "--to", "0:1200,3:900", "only what is missing is added"]),
        ("repair", ["equal to the archive", "written", "deleted"]),
        ("maintain", ["--dry-run", "--remove-orphans", "safe while the stream runs"]),
        ("retire", ["--dry-run", "--who", "--why", "unless a legal hold keeps them"]),
    ],
)
def test_the_help_of_what_mends_says_what_it_changes(dualsink, command, said):
    answer = dualsink(command, "--help")
    text = " ".join(answer.out.split())
    assert (answer.status, [words for words in said if words not in text]) == (0, [])


@pytest.mark.parametrize(("given", "missing"), [(["--to", "5"], "--from"), (["--from", "5"], "--to")])
def test_a_replay_without_a_bound_is_refused_by_name(dualsink, given, missing):
    answer = dualsink("replay", *given)
    assert (answer.status, f"Missing option '{missing}'" in answer.err) == (2, True)


def test_an_audit_without_a_time_is_refused_by_name(dualsink):
    answer = dualsink("audit")
    assert (answer.status, "Missing option '--at'" in answer.err) == (2, True)


# -- settings ------------------------------------------------------------------------------------------


def test_parameters_win_over_files(project):
    assert cli.settings_of(project, "local", None).num_log_events == 200
    assert cli.settings_of(project, "local", ["num_log_events=5"]).num_log_events == 5


def test_params_files_replace_the_environment(project):
    (project / "a.yaml").write_text("seed: 1\nhot_days: 1\n")
    (project / "b.yaml").write_text("seed: 2\n")
    settings = cli.settings_of(project, "local", None, params="a.yaml,b.yaml")
    assert (settings.seed, settings.hot_days) == (2, 1)


def test_paths_are_relative_to_where_the_command_was_given(project, tmp_path):
    settings = cli.settings_of(tmp_path, "local", ["input_path=logs.csv", "data_dir=data"])
    assert (settings.input_path, settings.data_path) == (str(tmp_path / "logs.csv"), tmp_path / "data")


def test_an_environments_file_is_found_from_where_the_command_was_given(project, tmp_path):
    (tmp_path / "mine.yaml").write_text("environment: mine\n")
    assert cli.settings_of(tmp_path, "mine.yaml", None).environment == "mine"


def test_a_parameter_that_lacks_its_value_is_an_error_of_settings(project):
    with pytest.raises(SettingsError, match="lacks its value"):
        cli.settings_of(project, "local", ["seed"])


def test_another_project_can_be_chosen(dualsink, project, tmp_path):
    os.chdir(tmp_path)
    answer = dualsink("--project", str(project), "status", "--env", "remote", "--json")
    assert json.loads(answer.out)["environment"] == "remote"


# -- servers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["up", "down", "clean"])
def test_external_servers_are_not_touched_and_it_says_so(dualsink, project, command):
    answer = dualsink(command, "--env", "remote")
    assert answer.status == 0
    assert "remote are external" in answer.out
    assert not (project / ".data").exists()


def test_status_tells_programs_where_everything_is(dualsink, project):
    found = json.loads(dualsink("status", "--json").out)
    assert set(found["endpoints"]) == {"kafka", "opensearch", "nessie", "s3", "trino"}
    assert {server["name"] for server in found["processes"]} == {"kafka", "opensearch", "nessie", "s3", "trino"}
    assert all(
        set(server) >= {"pid", "endpoint", "data_dir", "log", "running", "healthy"} for server in found["processes"]
    )
    assert found["topic"] == "application_logs"
    assert found["tables"]["archive"] == "lakehouse.demo.application_logs_archive"
    assert found["catalog"]["warehouse"] == "s3://openlakes/warehouse"
    assert found["index_alias"] == "application-logs"
    assert found["credentials"]["file"] == str(project / ".data" / "local" / "credentials.json")


def test_status_tells_where_secrets_are_and_not_what_they_are(dualsink, monkeypatch):
    monkeypatch.setenv("DUALSINK_S3_SECRET_KEY", "hidden-key")
    monkeypatch.setenv("DUALSINK_OPENSEARCH_PASSWORD", "hidden-word")
    assert "hidden" not in dualsink("status", "--json").out


def test_status_of_external_servers_lists_no_process(dualsink):
    found = json.loads(dualsink("status", "--json", *EXTERNAL).out)
    assert (found["processes"], found["credentials"]["file"]) == ([], None)


def test_status_is_readable_for_people(dualsink):
    answer = dualsink("status")
    assert (answer.status, "not running" in answer.out) == (0, True)


def test_a_server_that_there_is_not_cannot_be_asked_for(dualsink, project):
    answer = dualsink("up", "--with", "presto")
    assert (answer.status, "No local server 'presto'" in answer.err) == (2, True)
    assert not (project / ".data").exists()


def test_status_says_how_to_start_what_is_optional(dualsink):
    assert "trino        not running; optional, with --with trino" in dualsink("status").out


def test_down_without_servers_says_so(dualsink):
    assert dualsink("down").out == "No server was running.\n"


def test_clean_without_data_says_so(dualsink):
    answer = dualsink("clean")
    assert (answer.status, "Nothing to delete" in answer.out) == (0, True)


def test_clean_deletes_nothing_where_nobody_can_be_asked(dualsink, project):
    (project / ".data" / "local").mkdir(parents=True)
    answer = dualsink("clean")
    assert answer.status == 1
    assert "--yes" in answer.err
    assert (project / ".data" / "local").is_dir()


def test_clean_refuses_a_folder_that_is_not_a_data_folder(dualsink, project):
    (project / "precious").mkdir()
    (project / "precious" / "file").touch()
    answer = dualsink("clean", "--yes", "-p", "data_dir", "precious")
    assert answer.status == 1
    assert (project / "precious" / "file").exists()


@pytest.mark.parametrize(
    "command", ["setup", "produce", "stream", "query", "validate", "redrive", "repair", "maintain", "retire"]
)
def test_a_job_without_servers_says_how_to_start_them(dualsink, command):
    answer = dualsink(command)
    assert answer.status == 1
    assert "./run_all.sh up --env local" in answer.err
    assert "Traceback" not in answer.err
