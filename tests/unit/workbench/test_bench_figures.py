"""How the benchmark computes: the warm part of a run, the tenths of a backlog, and the table of what ran elsewhere."""

from zipfile import ZipFile

import pytest
from matplotlib.axes import Axes

from dualsink.errors import SettingsError
from dualsink.settings import Settings, params_files
from dualsink_workbench.bench import commands, connect, flat, report, tls
from dualsink_workbench.bench.meter import Meter, Sample


def test_connect_is_warm_from_its_first_commit_to_the_last_but_one():
    commits = [(10.0, 300), (15.0, 500), (20.0, 400), (25.0, 7)]
    assert connect._warm(commits, start=2.0, end=25.5) == (10.0, 20.0, 900)


def test_connect_with_few_commits_is_judged_by_its_whole_run():
    assert connect._warm([(10.0, 300), (15.0, 500)], start=2.0, end=15.5) == (2.0, 15.5, 800)


def test_connect_with_both_sinks_is_as_fast_as_the_slower_store():
    commits = [(10.0, 300), (15.0, 500), (20.0, 400), (25.0, 7)]
    indexed = [(8.0, 100), (20.0, 300), (40.0, 807)]
    assert connect.slower(commits, indexed, start=2.0, end=40.5) == (10.0, 40.0, 1_107)
    assert connect.slower(commits, [(8.0, 100), (12.0, 1_107)], start=2.0, end=25.5) == (10.0, 20.0, 900)


def test_the_class_of_the_opensearch_sink_is_found_in_its_jar(tmp_path, monkeypatch):
    monkeypatch.setattr(connect.jars, "fetch", lambda name: tmp_path / name)
    for name in ("OpenSearchSinkConnector", "OpensearchSinkConnector"):
        folder = tmp_path / name
        folder.mkdir()
        with ZipFile(folder / "sink.jar", "w") as jar:
            jar.writestr(f"io/aiven/kafka/connect/opensearch/{name}.class", "")
        assert connect.Jars.fetched(folder).opensearch_class == f"io.aiven.kafka.connect.opensearch.{name}"
    with pytest.raises(SettingsError, match="no OpenSearch sink connector"):
        connect.Jars.fetched(tmp_path / "none")


@pytest.mark.parametrize(
    ("names", "shape", "events", "said"),
    [
        (["raw", "dualsnik"], "seed", 4_000_000, "No contender dualsnik"),
        (["tutorial"], "ecs", 4_000_000, "tutorial takes seed alone, not ecs"),
        (["raw"], "seed", 1_000_000, "more than 1,000,000 --events"),
        (["raw", "tutorial"], "seed", 2_000_000, "tutorial takes 800,000 events, .* more than 2,500,000 --events"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(names, shape, events, said):
    with pytest.raises(SettingsError, match=said):
        commands.check(names, ["raw", "dualsink", "tutorial", "connect"], shape, events, 500_000)


@pytest.fixture
def meter() -> Meter:
    """A meter that has seen Spark's JVM use half a core, and grow by a megabyte a second."""
    found = Meter({})
    found.samples = [Sample(float(s), {"spark": s / 2}, {"spark": s * 1_000_000}) for s in range(0, 1_000)]
    return found


def test_a_tenth_of_a_backlog_takes_parts_of_batches_that_cross_its_edge(monkeypatch, meter):
    monkeypatch.setattr(flat.time, "time", flat.time.monotonic)
    # Five batches of 200 events: 10 s each, and the last one 20 s.
    batches = [
        {"events": 200, "ended": ended, "seconds": {"pass": 9.0, "commit": 1.0}} for ended in (110, 120, 130, 140, 160)
    ]
    tenths = flat._tenths(batches, meter)
    assert [tenth["rate"] for tenth in tenths] == [20] * 8 + [10] * 2
    assert [tenth["commit_seconds"] and tenth["commit_seconds"]["count"] for tenth in tenths] == [None, 1] * 5
    assert tenths[0]["cpu_per_event"]["spark"] == pytest.approx(25_000, rel=0.3)
    assert flat._ratios(tenths)["rate"] == 0.5
    assert flat._ratios(tenths)["memory_spark"] == pytest.approx(160 / 110, rel=0.02)


def test_connect_with_both_sinks_stands_in_the_table_by_its_recorded_ratio():
    raw = {"name": "raw _bulk", "rate": 65_000, "overall_rate": 60_000, "cpu_per_event": {"opensearch": 27.0}}
    run = {"measured": "contenders", "recorded": connect.RECORDED, "results": [raw]}
    last = report.table(run).splitlines()[-1]
    assert last == "| Kafka Connect, both sinks (recorded elsewhere) | 37,560 | 58% |  | 76.0 | 31.0 |  |"


def test_what_dualsink_parses_with_stands_in_the_table():
    legs = {"parse": 3.5, "documents": 1.6, "archive": 1.7, "send": 1.0}
    turns = [
        {"name": name, "rate": 1, "overall_rate": 1, "cpu_per_event": {"opensearch": 27.0}, "legs_per_event": each}
        for name, each in {"raw _bulk": {}, "dualsink": legs}.items()
    ]
    rows = report.table({"measured": "contenders", "recorded": connect.RECORDED, "results": turns}).splitlines()
    assert [row.split(" | ")[-1] for row in rows] == ["parsing and documents |", "--- |", " |", "5.1 |", " |"]


def test_connect_with_both_sinks_needs_no_recorded_ratio_where_it_ran():
    found = [
        {"name": name, "rate": rate, "overall_rate": rate, "cpu_per_event": {"opensearch": 27.0}}
        for name, rate in {"raw _bulk": 65_000, report.CONNECT_BOTH: 30_000}.items()
    ]
    rows = report.table({"measured": "contenders", "recorded": connect.RECORDED, "results": found}).splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| raw _bulk", f"| {report.CONNECT_BOTH}"]


def test_secured_servers_are_measured_beside_the_same_without_tls():
    secured = Settings.load(params_files("secure"))
    plain, same = tls.sides(secured).values()
    assert (same, plain.secured_servers) == (secured, [])
    changed = {name for name in Settings.model_fields if getattr(plain, name) != getattr(secured, name)}
    switches = {"kafka_security_protocol", "opensearch_tls", "nessie_uri", "s3_endpoint", "trino_uri"}
    assert changed == switches | {f"{leg}_ca_file" for leg in ("kafka", "opensearch", "nessie", "s3", "trino")}
    assert list(tls.sides(plain)) == [""]


def test_what_tls_takes_is_told_by_contender_and_process():
    def turn(name: str, rate: float, cost: float) -> dict:
        return {"name": name, "rate": rate, "cpu_per_event": {"opensearch": cost, "nessie": 0.0}}

    found = [turn("dualsink", 100.0, 10.0), turn("dualsink, TLS", 90.0, 11.0)]
    found += [turn("dualsink, TLS", 60.0, 13.0), turn("dualsink", 80.0, 10.0)]
    assert report.table({"measured": "tls", "results": found}).splitlines()[2:] == [
        "| dualsink: events/s, warm | 90 | 75 | 82% |",
        "| dualsink: CPU µs an event, opensearch | 10.0 | 12.0 | 120% |",
        "| dualsink: CPU µs an event, nessie | 0.0 | 0.0 |  |",
    ]


def test_other_measurements_take_plain_servers_alone(tmp_path):
    with pytest.raises(SettingsError, match="bench run"):
        commands.measure_flat(Settings.load(params_files("secure")), print, 10, 1, tmp_path / "flat.json")


def test_a_bar_that_leaves_the_picture_is_marked_as_cut(tmp_path, monkeypatch):
    def turn(name: str, rate: float) -> dict:
        return {"name": name, "rate": rate, "overall_rate": rate, "cpu_per_event": {"opensearch": 1.0}}

    drawn: list[str] = []
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **style: drawn.append(text))
    report.picture({"results": [turn("raw _bulk", 100.0), turn("far", 540.0), turn("near", 90.0)]}, tmp_path / "p.png")
    assert drawn.count("//") == 1
    assert any("4.7 times this width" in text for text in drawn)
