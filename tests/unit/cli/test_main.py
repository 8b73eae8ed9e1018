"""The command line: what it refuses, how it says so, and with which exit status. No server is started."""

import errno
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from dualsink.cli import command, main
from dualsink.errors import SettingsError
from dualsink.local_servers import Record
from dualsink.settings import Settings

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
            main.main(list(arguments))
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
    assert command.pair_parameters(given) == paired


@pytest.mark.parametrize("name", ["run", "up", "down", "status", "clean", "lab", "setup", "produce", "validate"])
def test_an_unknown_option_is_refused_by_name(dualsink, name):
    answer = dualsink(name, "--bogus")
    assert answer.status == 2
    assert "--bogus" in answer.err


def test_an_unknown_command_is_refused_by_name(dualsink):
    answer = dualsink("destroy")
    assert (answer.status, "destroy" in answer.err) == (2, True)


@pytest.mark.parametrize("name", ["run", "up", "status", "stream"])
def test_an_unknown_parameter_is_refused_with_the_nearest_one(dualsink, name):
    answer = dualsink(name, "-p", "kafka_topc", "x")
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


def test_without_a_project_there_is_no_environment_but_a_file(dualsink, tmp_path, monkeypatch):
    monkeypatch.setattr("dualsink.settings.project_root", lambda: tmp_path)
    assert dualsink("status", "--env", "moon").err == "No environment 'moon': give the path of a params file.\n"


def test_the_lab_starts_no_server_where_there_is_no_notebook(dualsink, project, monkeypatch):
    monkeypatch.setattr("dualsink_workbench.jupyter.servers", lambda *_, **__: pytest.fail("it starts servers"))
    for notebook in (project / "notebooks").iterdir():
        notebook.unlink()
    answer = dualsink("lab")
    assert (answer.status, "run this in a checkout of dualsink" in answer.err) == (2, True)


def test_secure_is_short_for_an_environment_and_goes_with_no_other(dualsink):
    assert "No environment 'secure'" in dualsink("status", "--secure").err
    answer = dualsink("status", "--secure", "--env", "remote")
    assert (answer.status, "does not go with --env remote" in answer.err) == (2, True)


def test_an_unknown_stage_is_refused_with_the_known_ones(dualsink):
    answer = dualsink("run", "--stages", "01,07")
    assert answer.status == 2
    assert "No stage 07: there are 01_setup, 03_stream." in answer.err


def test_a_run_id_that_exists_is_refused(dualsink, project):
    (project / "runs" / "again").mkdir(parents=True)
    (project / "runs" / "again" / "report.json").write_text("{}")
    answer = dualsink("run", "--run-id", "again")
    assert answer.status == 2
    assert "Run again exists already" in answer.err and "--stages 04,05" in answer.err


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command(dualsink, option):
    answer = dualsink(option)
    assert answer.status == 0
    listed = {line.split()[0] for line in answer.out.partition("Commands:")[2].splitlines() if line.startswith("  ")}
    assert {each.name.split()[0] for each in main.commands()} == listed


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("redrive", ["again with today's code", "what is good now", "the rest stays"]),
        ("replay", ["--from", "--to", "0:1200,3:900", "only what is missing is added"]),
        ("repair", ["equal to the archive", "written", "deleted", "a table holds their records", "--delete-unknown"]),
        ("rescue", ["--dry-run", "--who", "--why", "no table and no topic has", "quarantined"]),
        ("maintain", ["--dry-run", "--remove-orphans", "safe while the stream runs"]),
        ("retire", ["--dry-run", "--who", "--why", "unless a legal hold keeps them"]),
    ],
)
def test_the_help_of_what_mends_says_what_it_changes(dualsink, name, said):
    answer = dualsink(name, "--help")
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
    assert command.settings_of(project, "local", None).num_log_events == 200
    assert command.settings_of(project, "local", ["num_log_events=5"]).num_log_events == 5


def test_params_files_replace_the_environment(project):
    (project / "a.yaml").write_text("seed: 1\nhot_days: 1\n")
    (project / "b.yaml").write_text("seed: 2\n")
    settings = command.settings_of(project, "local", None, params="a.yaml,b.yaml")
    assert (settings.seed, settings.hot_days) == (2, 1)


def test_paths_are_relative_to_where_the_command_was_given(project, tmp_path):
    settings = command.settings_of(tmp_path, "local", ["input_path=logs.csv", "data_dir=data"])
    assert (settings.input_path, settings.data_path) == (str(tmp_path / "logs.csv"), tmp_path / "data")


def test_an_environments_file_is_found_from_where_the_command_was_given(project, tmp_path):
    (tmp_path / "mine.yaml").write_text("environment: mine\n")
    assert command.settings_of(tmp_path, "mine.yaml", None).environment == "mine"


def test_a_parameter_that_lacks_its_value_is_an_error_of_settings(project):
    with pytest.raises(SettingsError, match="lacks its value"):
        command.settings_of(project, "local", ["seed"])


def test_another_project_can_be_chosen(dualsink, project, tmp_path):
    os.chdir(tmp_path)
    answer = dualsink("--project", str(project), "status", "--env", "remote", "--json")
    assert json.loads(answer.out)["environment"] == "remote"


# -- what can be known before something starts ---------------------------------------------------------


@pytest.mark.parametrize("name", ["run", "produce"])
def test_a_file_of_logs_that_is_not_there_is_refused_at_once(dualsink, project, name):
    answer = dualsink(name, "-p", "input_path", "logs.csv")
    assert (answer.status, f"no file {project / 'logs.csv'}" in answer.err) == (1, True)
    assert not (project / ".data").exists()


def test_legal_holds_that_are_not_there_are_refused_at_once(dualsink, project):
    answer = dualsink("run", "-p", "legal_holds", "holds.yaml")
    assert (answer.status, "Cannot read the legal holds" in answer.err) == (2, True)
    assert not (project / ".data").exists()


@pytest.mark.parametrize("name", ["run", "produce", "stream", "redrive", "validate"])
def test_formats_that_are_no_declarations_are_refused_at_once_by_file_line_and_field(dualsink, project, name):
    (project / "formats.yaml").write_text("formats:\n  - name: ours\n    recognised_by: [a]\n    massage: b\n")
    answer = dualsink(name, "-p", "formats", "formats.yaml")
    assert (answer.status, f"{project / 'formats.yaml'}:4: `massage`" in answer.err) == (2, True)
    assert not (project / ".data").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "--from", "yesterday", "--to", "5"], "Cannot read 'yesterday' as a bound"),
        (["replay", "--from", "5", "--to", "5"], "from 5 to 5"),
        (["rehydrate", "--from", "2026-11-23", "--to", "soon"], "Cannot read 'soon' as a time"),
        (["rehydrate", "--from", "2026-11-23", "--to", "2026-11-23"], "the end, which is not included, must be later"),
        (["audit", "--at", "never"], "audit_at"),
        (["audit", "--at", "2999-01-01"], "is to come"),
        (["alerts", "--rules", "none.yaml"], "Cannot read the rules"),
    ],
)
def test_bounds_times_and_rules_are_read_before_a_server_is_asked(dualsink, arguments, said):
    answer = dualsink(*arguments)
    assert (answer.status, said in answer.err) == (2, True)


# -- looking at parameters and at the machine ----------------------------------------------------------


def test_params_lists_every_parameter_with_its_type_value_and_meaning(dualsink):
    answer = dualsink("params", "-p", "hot_days", "3")
    assert answer.status == 0
    lines = {line.split()[0]: line for line in answer.out.splitlines()}
    assert [name for name in Settings.model_fields if name not in lines] == []
    assert lines["hot_days"].split(None, 2) == ["hot_days", "int", "3 (default 7)  Days that OpenSearch keeps."]


def test_params_lists_those_with_a_word(dualsink):
    answer = dualsink("params", "PARTITIONS")
    assert answer.out.splitlines()[0].startswith("kafka_partitions")
    assert answer.out.splitlines()[-1].startswith("params: 1 parameter, 0 not at the default")


def test_doctor_says_what_holds_a_port_and_ends_with_1(dualsink, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        answer = dualsink("doctor", "-p", "kafka_bootstrap_servers", f"127.0.0.1:{free_port}")
    assert answer.status == 1
    assert f"[FAIL] port of kafka: {free_port} is held by process {os.getpid()}" in answer.out
    assert "choose another with -p kafka_bootstrap_servers" in answer.out
    assert [
        part for part in ("Python: 3.", "machine: ", "disk of data_dir", "Java of Spark") if part not in answer.out
    ] == []


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


# -- servers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["up", "down", "clean"])
def test_external_servers_are_not_touched_and_it_says_so(dualsink, project, name):
    answer = dualsink(name, "--env", "remote")
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
    "name", ["setup", "produce", "stream", "query", "validate", "redrive", "repair", "rescue", "maintain", "retire"]
)
def test_a_job_without_servers_says_how_to_start_them(dualsink, name):
    answer = dualsink(name, "--params", "params/local.yaml")
    assert answer.status == 1
    assert answer.err.endswith(" Start them: ./run_all.sh up --params params/local.yaml\n")
    assert "Traceback" not in answer.err


def test_a_server_that_runs_and_is_silent_is_told_from_one_that_is_to_be_started(dualsink, project):
    own = Record.of(psutil.Process())
    entry = {"pid": own.pid, "started": own.started, "endpoint": "127.0.0.1:19092"}
    state = project / ".data" / "local" / "servers.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"kafka": entry, "s3": entry | {"started": own.started - 1}}))
    answer = dualsink("setup")
    log = project / ".data" / "local" / "logs" / "kafka.log"
    told = f"kafka runs at 127.0.0.1:19092 as process {own.pid}: see {log}, or restart it with ./run_all.sh down"
    assert f"{told} and ./run_all.sh up. Start them: ./run_all.sh up\n" in answer.err


# -- no place to write ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_folder_that_takes_no_files_is_told_in_one_line_with_other_places(dualsink, monkeypatch, number):
    def full(*arguments: object) -> None:
        raise OSError(number, os.strerror(number), "/data/servers.json")

    monkeypatch.setattr("dualsink_workbench.servers.stack.LocalServers.status", full)
    answer = dualsink("down")
    assert (answer.status, len(answer.err.splitlines())) == (1, 1)
    assert answer.err.startswith(
        f"/data/servers.json: {os.strerror(number)}. Make room, or choose another folder: -p data"
    )


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="a folder that nobody may write into is Linux's /sys")
def test_a_run_with_a_data_folder_that_cannot_be_made_is_told_in_one_line(dualsink):
    answer = dualsink("up", "-p", "data_dir", "/sys/kernel/dualsink")
    assert (answer.status, len(answer.err.splitlines())) == (1, 1)
    assert answer.err.startswith("/sys/kernel/dualsink")
