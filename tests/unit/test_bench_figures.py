"""How the benchmark computes: the warm part of a run, the tenths of a backlog, and the table of what ran elsewhere."""

import pytest
from bench import connect, flat, report
from bench.meter import Meter, Sample


def test_connect_is_warm_from_its_first_commit_to_the_last_but_one():
    commits = [(10.0, 300), (15.0, 500), (20.0, 400), (25.0, 7)]
    assert connect._warm(commits, began=2.0, end=25.5) == (10.0, 20.0, 900)


def test_connect_with_few_commits_is_judged_by_its_whole_run():
    assert connect._warm([(10.0, 300), (15.0, 500)], began=2.0, end=15.5) == (2.0, 15.5, 800)


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
    assert last == "| Kafka Connect, both sinks (recorded elsewhere) | 25,800 | 40% |  | 76.0 | 31.0 |"


def test_connect_with_both_sinks_needs_no_recorded_ratio_where_it_ran():
    found = [
        {"name": name, "rate": rate, "overall_rate": rate, "cpu_per_event": {"opensearch": 27.0}}
        for name, rate in {"raw _bulk": 65_000, report.CONNECT_BOTH: 30_000}.items()
    ]
    rows = report.table({"measured": "contenders", "recorded": connect.RECORDED, "results": found}).splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| raw _bulk", f"| {report.CONNECT_BOTH}"]
