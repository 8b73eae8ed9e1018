"""Settings: strings as Airflow sends them, names and values that are refused, files and overrides."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dualsink import invocation
from dualsink.errors import SettingsError
from dualsink.settings import Settings, anchored, params_files, project_root, read_params


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


# -- strings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("enable_validation", "False", False),
        ("enable_cleanup", "True", True),
        ("num_log_events", "200", 200),
        ("malformed_share", "0.1", 0.1),
        ("opensearch_port", "9231", 9231),
        ("execution_date", "2026-11-23", date(2026, 11, 23)),
        ("trigger_seconds", "0.5", 0.5),
        ("kafka_topic", " logs ", "logs"),
    ],
)
def test_a_string_becomes_the_parameters_type(name, text, value):
    assert getattr(Settings.from_values({name: text}), name) == value


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23", "2026-11-23T00:00:00+00:00"),
        ("2026-11-23T10:00", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23T10:00:00.5+02:00", "2026-11-23T08:00:00.500000+00:00"),
        ("", ""),
    ],
)
def test_a_time_to_audit_is_in_utc_whatever_zone_it_names(text, moment):
    assert Settings.from_values({"audit_at": text}).audit_at == moment


def test_a_time_to_audit_that_is_none_is_refused_by_name():
    with pytest.raises(SettingsError, match="audit_at"):
        Settings.from_values({"audit_at": "yesterday"})


@pytest.mark.parametrize("blank", ["", None])
def test_a_blank_execution_date_is_today_in_utc(blank):
    assert Settings.from_values({"execution_date": blank}).execution_date == datetime.now(UTC).date()


def test_all_parameters_are_plain_values_that_settings_reads_back():
    settings = Settings.from_values({"num_log_events": "3", "execution_date": "2026-01-02"})
    assert Settings.from_values(settings.parameters()) == settings
    assert {type(value) for value in settings.parameters().values()} <= {str, int, float, bool}


# -- refusals ------------------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    with pytest.raises(SettingsError, match=r"kafka_topc \(did you mean kafka_topic\?\)"):
        Settings.from_values({"kafka_topc": "x"})


def test_every_unknown_name_is_listed():
    with pytest.raises(SettingsError, match=r"(?s)kafka_topc.*zzz"):
        Settings.from_values({"kafka_topc": "x", "zzz": 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_log_events", "-1"),
        ("num_log_events", "many"),
        ("malformed_share", "1.5"),
        ("opensearch_port", "70000"),
        ("opensearch_port", "0"),
        ("kafka_partitions", "0"),
        ("streaming_mode", "for_ever"),
        ("servers", "cloud"),
        ("warehouse", "/tmp/warehouse"),
        ("opensearch_index", "Application-Logs"),
        ("iceberg_table", "logs; DROP TABLE x"),
        ("environment", "../elsewhere"),
        ("run_id", "a/b"),
        ("execution_date", "23.11.2026"),
        ("enable_cleanup", "perhaps"),
        ("spark_driver_memory", "lots"),
        ("opensearch_refresh_interval", "soon"),
    ],
)
def test_an_impossible_value_is_refused_with_name_and_value(name, value):
    with pytest.raises(SettingsError) as refusal:
        Settings.from_values({name: value})
    assert name in str(refusal.value) and repr(value) in str(refusal.value)


def test_all_impossible_values_are_reported_at_once():
    with pytest.raises(SettingsError, match=r"(?s)num_log_events.*opensearch_port|opensearch_port.*num_log_events"):
        Settings.from_values({"num_log_events": "x", "opensearch_port": "x"})


# -- files ---------------------------------------------------------------------------------------------


def test_later_files_win_and_overrides_win_over_files(tmp_path):
    base = write(tmp_path / "base.yaml", "num_log_events: 1\nseed: 1\nhot_days: 1\n")
    late = write(tmp_path / "late.yaml", "seed: 2\nhot_days: 2\n")
    settings = Settings.load([base, late], {"hot_days": "3"})
    assert (settings.num_log_events, settings.seed, settings.hot_days) == (1, 2, 3)


def test_an_empty_file_sets_nothing(tmp_path):
    assert Settings.load([write(tmp_path / "empty.yaml", "# nothing\n")]) == Settings()


def test_a_file_with_an_unknown_name_is_named(tmp_path):
    file = write(tmp_path / "mine.yaml", "opensearch_prot: 9200\n")
    with pytest.raises(SettingsError, match=r"(?s)mine\.yaml.*did you mean opensearch_port"):
        Settings.load([file])


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "a: [1\n"])
def test_a_file_that_is_no_mapping_is_refused_by_name(tmp_path, text):
    with pytest.raises(SettingsError, match=r"mine\.yaml"):
        read_params(write(tmp_path / "mine.yaml", text))


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.yaml"):
        read_params(tmp_path / "absent.yaml")


def test_an_environment_is_a_name_or_a_path_and_base_comes_first(tmp_path, monkeypatch):
    base = write(tmp_path / "params" / "base.yaml", "")
    named = write(tmp_path / "params" / "stage.yaml", "")
    own = write(tmp_path / "own.yaml", "")
    monkeypatch.chdir(tmp_path)
    assert params_files("stage") == [base, named]
    assert params_files(str(own)) == [base, own]


def test_an_unknown_environment_is_refused_with_the_known_ones(tmp_path, monkeypatch):
    for name in ("base", "ci", "local"):
        write(tmp_path / "params" / f"{name}.yaml", "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"'moon'.* ci, local"):
        params_files("moon")


# -- notebooks -----------------------------------------------------------------------------------------


def injected(**values: object) -> dict[str, object]:
    cell = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in values.items())
    return {"In": ["", "num_log_events: int = 200", cell], **values}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an environment, and the current folder in it."""
    write(tmp_path / "params" / "base.yaml", "num_log_events: 1\nseed: 1\nhot_days: 1\n")
    write(tmp_path / "params" / "local.yaml", "")
    write(tmp_path / "params" / "stage.yaml", "environment: stage\nnum_log_events: 2\nseed: 2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_notebooks_variables_are_read_and_its_others_left_alone():
    settings = Settings.from_notebook({"num_log_events": "5", "frame": object(), "In": []})
    assert settings.num_log_events == 5


def test_defaults_give_way_to_base_that_to_the_environment_and_that_to_what_is_injected(project):
    settings = Settings.from_notebook({"num_log_events": 200, "hot_days": 7} | injected(environment="stage", seed="3"))
    assert (settings.hot_days, settings.num_log_events, settings.seed) == (1, 2, 3)


def test_an_injected_value_that_is_the_default_wins_all_the_same(project):
    assert Settings.from_notebook(injected(environment="stage", num_log_events="200")).num_log_events == 200


def test_a_value_changed_in_the_parameters_cell_wins_over_the_environments_file(project):
    assert Settings.from_notebook({"environment": "stage", "num_log_events": 9, "In": []}).num_log_events == 9


def test_a_params_file_takes_the_place_of_the_environments(project):
    file = write(project / "own.yaml", "environment: mine\nseed: 5\n")
    settings = Settings.from_notebook(injected(params_file=str(file)))
    assert (settings.environment, settings.num_log_events, settings.seed) == ("mine", 1, 5)


def test_messages_name_the_environment_whose_values_a_params_file_repeats(project):
    file = write(project / "runs" / "params.yaml", "environment: stage\nnum_log_events: 2\nseed: 2\nrun_id: x\n")
    Settings.from_notebook(injected(params_file=str(file)))
    assert invocation.command("up").endswith("up --env stage")


@pytest.mark.parametrize(
    "values", ["environment: mine\nseed: 5\n", "environment: stage\nseed: 5\n", "data_dir: other\n"]
)
def test_messages_name_the_params_file_whose_values_no_environment_has(project, values):
    file = write(project / "runs" / "params.yaml", values)
    Settings.from_notebook(injected(params_file=str(file)))
    assert invocation.command("up").endswith("up --env runs/params.yaml")


def test_an_environment_that_no_file_describes_is_refused(project):
    with pytest.raises(SettingsError, match="'moon'.* local, stage"):
        Settings.from_notebook(injected(environment="moon"))


def test_an_injected_name_that_is_no_parameter_is_refused():
    with pytest.raises(SettingsError, match=r"(?s)injected.*num_events"):
        Settings.from_notebook(injected(num_events="5"))


def test_injected_parameters_are_taken():
    assert Settings.from_notebook(injected(seed="11")).seed == 11


# -- places --------------------------------------------------------------------------------------------


def test_the_project_is_found_from_a_folder_inside_it(tmp_path):
    write(tmp_path / "params" / "base.yaml", "")
    inside = tmp_path / "notebooks" / "deep"
    inside.mkdir(parents=True)
    assert project_root(inside) == tmp_path


def test_from_elsewhere_the_project_is_the_checkout_of_this_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert project_root() == project_root(Path(__file__))


def test_environments_have_data_folders_of_their_own(project):
    folders = {Settings.from_values({"environment": name}).data_path for name in ("a", "b")}
    assert folders == {project / ".data" / "a", project / ".data" / "b"}


def test_tables_of_a_topic_have_checkpoints_of_their_own():
    one, other = (Settings.from_values({"iceberg_table": name}).checkpoint_path for name in ("a", "b"))
    assert one != other


def test_a_secret_comes_from_the_variable_that_the_parameter_names(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", "k")
    place = {"data_dir": str(tmp_path)}
    assert Settings.from_values(place | {"s3_access_key_env": "MY_KEY"}).secret("s3_access_key_env") == "k"
    assert Settings.from_values(place | {"s3_access_key_env": "ABSENT_KEY"}).secret("s3_access_key_env") is None


def test_a_secret_comes_from_a_file_that_is_read_at_every_use(monkeypatch, tmp_path):
    file = write(tmp_path / "key", "first\n")
    monkeypatch.setenv("MY_KEY_FILE", str(file))
    settings = Settings.from_values({"data_dir": str(tmp_path), "kafka_password_env": "MY_KEY"})
    assert settings.secret("kafka_password_env") == "first"
    file.write_text("second")
    assert settings.secret("kafka_password_env") == "second"


def test_a_secrets_file_that_is_gone_is_named_with_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY_FILE", str(tmp_path / "gone"))
    with pytest.raises(SettingsError, match=r"gone, which MY_KEY_FILE names: No such file"):
        Settings.from_values({"kafka_password_env": "MY_KEY"}).secret("kafka_password_env")


def test_a_secret_pasted_in_the_place_of_its_variable_is_refused_and_not_repeated():
    with pytest.raises(SettingsError, match="kafka_password_env") as refusal:
        Settings.from_values({"kafka_password_env": "s3cr3t-p4ss!"})
    assert "s3cr3t" not in str(refusal.value)


def test_a_keeper_has_its_own_names_only_where_a_variable_holds_them(monkeypatch, tmp_path):
    settings = Settings.from_values({"data_dir": str(tmp_path)})
    assert settings.as_keeper() == settings
    monkeypatch.setenv("DUALSINK_OPENSEARCH_KEEPER_USER", "keeper")
    keeper = settings.as_keeper()
    assert keeper.secret("opensearch_user_env") == "keeper"
    assert keeper.opensearch_password_env == "DUALSINK_OPENSEARCH_KEEPER_PASSWORD"
    assert keeper.s3_access_key_env == settings.s3_access_key_env


def test_a_keeper_of_local_servers_has_its_own_key_in_their_file(tmp_path, monkeypatch):
    monkeypatch.delenv("DUALSINK_S3_ACCESS_KEY", raising=False)
    (tmp_path / "credentials.json").write_text('{"access_key": "stream", "s3_keeper_access_key_env": "keeper"}')
    settings = Settings.from_values({"data_dir": str(tmp_path)})
    assert settings.secret("s3_access_key_env") == "stream"
    assert settings.as_keeper().secret("s3_access_key_env") == "keeper"


def test_a_keepers_keys_are_not_used_with_the_streams_session_token(monkeypatch, tmp_path):
    monkeypatch.setenv("DUALSINK_S3_SESSION_TOKEN", "of the stream")
    monkeypatch.setenv("DUALSINK_S3_KEEPER_ACCESS_KEY", "key")
    assert Settings.from_values({"data_dir": str(tmp_path)}).as_keeper().secret("s3_session_token_env") is None


@pytest.mark.parametrize("options", [{"b.c": True, "a": 1}, "{b.c: true, a: 1}", "{'b.c': True, 'a': '1'}"])
def test_options_of_kafka_are_a_mapping_of_plain_texts(options):
    assert Settings.from_values({"kafka_options": options}).kafka_options == '{"a": "1", "b.c": "true"}'


@pytest.mark.parametrize("options", ["just words", "[a, b]", {"a": {"b": "c"}}, "{a"])
def test_options_that_are_no_mapping_are_refused(options):
    with pytest.raises(SettingsError, match="kafka_options: .*mapping"):
        Settings.from_values({"kafka_options": options})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ssl.keystore.password", "hidden"),
        ("ssl.keystore.key", "hidden"),
        ("sasl.oauthbearer.client.credentials.client.secret", "hidden"),
        ("sasl.jaas.config", 'org.example.Login required username="u" password="hidden";'),
        ("sasl.jaas.config", 'org.example.Login required clientSecret = "hidden";'),
        ("anything", "-----BEGIN PRIVATE KEY-----hidden"),
        ("proxy", "https://user:hidden@host"),
    ],
)
def test_a_secret_among_the_options_of_kafka_is_refused_by_name_and_not_repeated(name, value):
    with pytest.raises(SettingsError, match=name) as refusal:
        Settings.from_values({"kafka_options": {name: value}})
    assert "hidden" not in str(refusal.value)


def test_the_options_of_a_plug_in_without_secrets_are_accepted():
    options = {
        "sasl.mechanism": "AWS_MSK_IAM",
        "sasl.jaas.config": "software.amazon.msk.auth.iam.IAMLoginModule required;",
        "sasl.client.callback.handler.class": "software.amazon.msk.auth.iam.IAMClientCallbackHandler",
        "sasl.oauthbearer.token.endpoint.url": "https://login.example/token",
    }
    assert Settings.from_values({"kafka_options": options}).kafka_options


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("nessie_uri", "https://ann:hunter2@nessie/api/v2"), ("s3_endpoint", "http://ann:hunter2@s3:8333"),
        ("opensearch_host", "ann:hunter2@search"), ("kafka_bootstrap_servers", "ann:hunter2@broker:9092"),
        ("trino_uri", "https://ann:hunter2@trino"), ("kafka_token_url", "https://ann:hunter2@login/token"),
    ],
)  # fmt: skip
def test_an_address_with_a_login_is_refused_and_not_repeated(name, address):
    with pytest.raises(SettingsError, match=f"{name}: .*An address holds no user and no password") as refused:
        Settings.from_values({name: address})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("servers", "secret"), [("local", "made"), ("external", None)])
def test_the_keys_of_local_servers_come_from_their_file_where_no_variable_holds_them(tmp_path, servers, secret):
    (tmp_path / "credentials.json").write_text('{"access_key": "made", "secret_key": "too"}')
    settings = Settings.from_values({"data_dir": str(tmp_path), "servers": servers, "s3_access_key_env": "ABSENT_KEY"})
    assert settings.secret("s3_access_key_env") == secret


def test_a_variable_wins_over_the_file_of_local_keys(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", "mine")
    (tmp_path / "credentials.json").write_text('{"access_key": "made", "secret_key": "too"}')
    settings = Settings.from_values({"data_dir": str(tmp_path), "s3_access_key_env": "MY_KEY"})
    assert settings.secret("s3_access_key_env") == "mine"


@pytest.mark.parametrize("place", ["s3a://bucket/checkpoint", "file:///tmp/checkpoint", "s3://bucket", "s3://bucket/"])
def test_a_checkpoint_at_an_unknown_kind_of_place_is_refused_instead_of_becoming_a_local_folder(place):
    with pytest.raises(SettingsError, match="checkpoint_dir: .*as s3://bucket/folder"):
        Settings.from_values({"checkpoint_dir": place})


def test_a_checkpoint_in_object_storage_is_at_work_in_a_folder_of_the_data():
    settings = Settings.from_values({"checkpoint_dir": "s3://bucket/checkpoint"})
    assert settings.checkpoint_url == "s3://bucket/checkpoint"
    assert settings.checkpoint_path == Settings().checkpoint_path
    assert Settings.from_values({"checkpoint_dir": "here"}).checkpoint_url == ""


@pytest.mark.parametrize("place", ["s3://bucket/checkpoint", ""])
def test_a_place_that_is_no_path_is_not_made_one(place, tmp_path):
    assert anchored(place, tmp_path) == place
    assert anchored("here", tmp_path) == str(tmp_path / "here")
