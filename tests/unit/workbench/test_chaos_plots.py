"""Pictures of chaos say how many scenarios recovered, and survive having nothing to show."""

from dataclasses import replace

from dualsink_workbench.chaos import plots
from dualsink_workbench.chaos.outcome import Counts, Outcome

BEFORE, AFTER = Counts(2000, 1200, 3, 600, False), Counts(2000, 1990, 10, 1990, True)
RECOVERED = Outcome("kill", "`kill -9` here", "killed by SIGKILL", BEFORE, AFTER, 12.34, "the fault", 2000)
LOST = replace(RECOVERED, scenario="lost", before=None, after=BEFORE, orphans=["42 java"], seconds_to_recover=None)


def test_the_chaos_picture_counts_what_recovered_and_labels_the_seconds():
    figure = plots.recoveries([RECOVERED, LOST])
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Held under the fault",
        "1 of 2 recovered, both stores agree",
    ]
    assert [text for text in words(figure) if text] == ["12 s", "not recovered"]
    archive, hot = (bars.datavalues.tolist() for bars in figure.axes[0].containers)
    assert (archive, hot) == ([1203 / 2000, 0], [600 / 2000, 0])


def test_the_chaos_table_says_both_ledgers_orphans_and_verdict():
    html = plots.table([RECOVERED, LOST]).to_html()
    for said in ("1,200 + 3 of 2,000, OpenSearch 600: differs", "OpenSearch 1,990: holds", "42 java", "not taken"):
        assert said in html
    assert ("\N{CHECK MARK} holds" in html, "\N{BALLOT X} differs" in html) == (True, True)


def test_without_a_scenario_the_picture_says_so():
    assert [text for text in words(plots.recoveries([])) if text] == ["No scenario ran"]


def words(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]
