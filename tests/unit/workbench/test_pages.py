"""A notebook as a page: pictures and text within it, nothing loaded from elsewhere."""

import html
import re

import nbformat
import pandas as pd
import pytest

from dualsink.notebook import frames
from dualsink_workbench.runner import pages

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

SHOWN = 'Errors of "pay" < all'


HOSTILE = "<script>x()</script><img src=x onerror=x()> \x1b]0;x\x07\x1b[31mred ${jndi:ldap://x} {{ 7 * 7 }} {% raw %}"
"""What an event's message may hold."""
TAG = re.compile(r"<(script>x|img src=x)")


@pytest.fixture
def page(tmp_path) -> str:
    """The page of a notebook with a table, a picture and a line of text."""
    outputs = [
        nbformat.v4.new_output("stream", text="12 events"),
        nbformat.v4.new_output("display_data", {"image/png": PIXEL}, metadata={"image/png": {"alt": SHOWN}}),
        nbformat.v4.new_output("display_data", {"text/html": "<table><tr><td>unchanged</td></tr></table>"}),
    ]
    cells = [nbformat.v4.new_markdown_cell("# Audit\nWhat was."), nbformat.v4.new_code_cell("1 + 1", outputs=outputs)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "08_audit.ipynb")
    file = pages.write(tmp_path / "08_audit.ipynb", "12 events of <b>then</b>")
    assert file == tmp_path / "08_audit.html"
    return file.read_text(encoding="utf-8")


@pytest.fixture
def index(page, tmp_path) -> str:
    """The index of a run of that stage and of one that failed."""
    stages = [
        {"name": "05_validate", "status": "failed", "seconds": 1200.04, "fact": "", "error": "<script>x()</script>"},
        {"name": "08_audit", "status": "ok", "seconds": 1.0, "fact": "12 events", "error": ""},
    ]
    times = {"started": "2026-11-27T10:00:00+00:00", "finished": "2026-11-27T10:01:00+00:00"}
    sums = {"kafka": 1234, "archive": 1234, "quarantine": 0, "holds": True}
    day = {"day": "2026-11-27", "archive": 1234, "hot_refusals": 0, "opensearch": 1233, "holds": False}
    found = {"verdict": "missing", "store": "OpenSearch", "count": 1, "note": "", "command": "repair"}
    ledger = {
        "holds": False,
        "partitions": [{"topic": "logs", "partition": 0, **sums}],
        "days": [day],
        "verdicts": [{**found, "coordinates": ["logs-0-7"]}],
    }
    report = {"run_id": "one", "environment": "ci", "status": "failed", "stages": stages, "ledger": ledger, **times}
    return pages.write_index(report, tmp_path).read_text(encoding="utf-8")


def test_a_page_holds_text_tables_and_pictures(page):
    assert all(part in page for part in ("Audit", "12 events", "<td>unchanged</td>", f"data:image/png;base64,{PIXEL}"))


def test_a_page_loads_nothing_from_elsewhere(page):
    assert re.findall(r"""(?:src|href)=["'](?!data:|#|["'])[^"']*|import\(?["']https?:""", page) == []


def test_a_page_says_what_was_found_below_its_title_and_folds_its_code(page):
    assert page.index('id="Audit"') < page.index("12 events of &lt;b&gt;then&lt;/b&gt;") < page.index("What was.")
    assert page.index('<details class="code">') < page.index(">1</span>") < page.index("</details>")


def test_the_index_of_a_run_has_the_verdict_first_then_stages_ledger_and_pictures(index):
    parts = (
        "DOES NOT HOLD",
        "1,200.0",
        'href="08_audit.html"',
        "1,234",
        "1,233",
        "<code>repair</code>",
        "logs-0-7",
        PIXEL,
    )
    places = [index.index(part) for part in parts]
    assert places == sorted(places)
    assert 'href="05_validate.html"' not in index  # it has no page
    assert "2026-11-27 10:01:00 UTC" in index


def test_what_failed_is_text_in_the_index(index):
    assert "&lt;script&gt;x()&lt;/script&gt;" in index and "<script>" not in index


@pytest.mark.parametrize(
    "output",
    [
        nbformat.v4.new_output("stream", text=HOSTILE),
        nbformat.v4.new_output("execute_result", {"text/plain": HOSTILE}),
        nbformat.v4.new_output("display_data", {"text/html": frames.as_html(pd.DataFrame({"m": [HOSTILE]}), 999)}),
        nbformat.v4.new_output("error", ename="ValueError", evalue=HOSTILE, traceback=[f"ValueError: {HOSTILE}"]),
    ],
    ids=["print", "value", "table", "traceback"],
)
def test_what_an_event_says_is_text_in_a_page(tmp_path, output):
    cells = [nbformat.v4.new_markdown_cell("# Query"), nbformat.v4.new_code_cell("found", outputs=[output])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "04_query.ipynb")
    shown = pages.write(tmp_path / "04_query.ipynb", HOSTILE).read_text(encoding="utf-8")
    assert not TAG.search(shown)
    said = shown.split("<body", 1)[1]
    for text in ("&lt;script&gt;x()&lt;/script&gt;", "${jndi:ldap://x}", "{{ 7 * 7 }}", "{% raw %}"):
        assert said.count(text) == 2, text  # as the finding, and as the output


def test_a_page_runs_no_script_at_all(page, index):
    policy = re.compile(r"""<meta (http-equiv="Content-Security-Policy" )?content="default-src 'none'; style""")
    for each in (page, index):
        before, *_ = policy.split(each, maxsplit=1)
        assert before != each and "<script" not in before and "<style" not in before


def test_what_an_event_says_is_text_in_the_index(tmp_path):
    stage = {"name": HOSTILE, "status": HOSTILE, "seconds": 1.0, "fact": HOSTILE, "error": HOSTILE}
    times = dict.fromkeys(("started", "finished"), "2026-11-27T10:00:00+00:00")
    report = {"run_id": HOSTILE, "environment": HOSTILE, "status": HOSTILE, "stages": [stage], "ledger": None, **times}
    assert not TAG.search(pages.write_index(report, tmp_path).read_text(encoding="utf-8"))


def test_a_page_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "03_stream.ipynb").write_text("no notebook", encoding="utf-8")
    made = pages.Pages()
    made.add(tmp_path / "03_stream.ipynb", "")
    assert list(made.missing()) == ["03_stream"]


def test_a_picture_says_what_it_shows_on_both_pages(page, index):
    texts = re.compile(r"""alt=(?:"([^"]*)"|'([^']*)')""")
    assert [html.unescape("".join(text)) for each in (page, index) for text in texts.findall(each)] == [SHOWN, SHOWN]
