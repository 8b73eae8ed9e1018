"""The options of log_dual_sink.py: what they mean, what is refused. Nothing is streamed."""

import pytest

from dualsink.cli import submit
from dualsink.errors import SettingsError
from dualsink.settings import Settings
from dualsink.spark.session import spark_session


def test_without_options_it_streams_as_the_defaults_say_to_servers_that_it_does_not_start():
    assert submit.settings_of([]) == Settings(servers="external", spark_master="")


def test_hosts_of_opensearch_are_addresses_of_one_or_more_nodes():
    settings = submit.settings_of(["--opensearch-hosts", "https://a.example:9201, https://b.example:9201/"])
    assert settings.opensearch_hosts == ["a.example", "b.example"]
    assert settings.opensearch_url == "https://a.example:9201,https://b.example:9201"


def test_a_host_of_opensearch_may_be_a_name_alone():
    assert submit.settings_of(["--opensearch-hosts", "search"]).opensearch_url == "http://search:9200"


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        ("http://a:9200,https://b:9200", "one scheme and one port"),
        ("a:9200,b:9201", "one scheme and one port"),
        ("a,,b", "got ''"),
        ("ftp://a", "got 'ftp://a'"),
        ("http://a:ninety", "got 'http://a:ninety'"),
        ("http://a/path", "got 'http://a/path'"),
        ("http://admin:nothing@a", "come from the environment"),
    ],
)
def test_impossible_hosts_are_refused(hosts, message):
    with pytest.raises(SettingsError, match=message):
        submit.settings_of(["--opensearch-hosts", hosts])


@pytest.mark.parametrize(
    ("table", "archive"),
    [("t", "lakehouse.demo.t"), ("logs.t", "lakehouse.logs.t"), ("lake.logs.t", "lake.logs.t")],
)
def test_a_table_is_named_with_or_without_database_and_catalogue(table, archive):
    assert submit.settings_of(["--iceberg-table", table]).archive_table == archive


@pytest.mark.parametrize("table", ["a.b.c.d", "a..c", "a b"])
def test_impossible_tables_are_refused(table):
    with pytest.raises(SettingsError):
        submit.settings_of(["--iceberg-table", table])


def test_an_option_wins_over_a_later_params_file_and_that_over_an_earlier_one(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("kafka_topic: first\nnessie_ref: first\nhot_days: 3\n")
    second.write_text("kafka_topic: second\nnessie_ref: second\n")
    settings = submit.settings_of([f"--params={first},{second}", "--kafka-topic=third"])
    assert (settings.kafka_topic, settings.nessie_ref, settings.hot_days) == ("third", "second", 3)


@pytest.mark.parametrize("option", ["--kafka-topics=x", "--spark-master=yarn", "--kafka-top=x", "--num-log-events=1"])
def test_an_unknown_option_is_refused_by_name(option, capsys):
    with pytest.raises(SystemExit) as end:
        submit.settings_of([option])
    assert end.value.code == 2
    assert option.split("=")[0] in capsys.readouterr().err


def test_an_impossible_value_is_refused_by_its_parameter():
    with pytest.raises(SettingsError, match="max_offsets_per_trigger"):
        submit.settings_of(["--max-offsets-per-trigger", "none"])


def test_what_has_no_option_is_a_parameter():
    assert submit.NOT_OPTIONS - Settings.model_fields.keys() == set()


@pytest.mark.parametrize("seen", [None, "another"])
def test_a_key_that_the_submitted_jvm_does_not_have_is_refused_by_its_variable(monkeypatch, seen):
    monkeypatch.setenv("DUALSINK_S3_ACCESS_KEY", "one")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    if seen:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", seen)
    with pytest.raises(SettingsError, match="set AWS_ACCESS_KEY_ID where spark-submit and the executors start"):
        spark_session(submit.settings_of([]))
