"""What every notebook of the suite promises as a file: it opens anywhere, reads well, and holds no output."""

import ast
import re

import nbformat
import pytest

LONGEST_CELL, LONGEST_LINE = 12, 100  # a line is as long as JupyterLab shows it beside its file browser
STAGES = ["01_setup", "02_produce", "03_stream", "04_query", "05_validate", "06_chaos", "07_operate", "08_audit"]


WORDS = {
    "01_setup": ["shape.ddl", "index.template_body("],
    "02_produce": ["KafkaProducer(**chosen)", "producer.send("],
    "03_stream": [
        "parse(value",
        "bulk_lines(",
        'spark.readStream.format("kafka")',
        "def write_batch(records, batch_id):",
        "records.writeStream",
        ".foreachBatch(",
        'option("checkpointLocation"',
        ".trigger(**trigger).start()",
        "stream.wait(",
    ],
    "04_query": ['"query": {', '"query_string"', "SELECT service, count(*)", "VERSION AS OF", "$snapshots"],
    "05_validate": ["sum(CAST(xxhash64(", "UNION", "sealing.validate("],
    "07_operate": ["system.rewrite_data_files("],
    "08_audit": ["@{settings.nessie_ref}#"],
}
"""What a reader of a stage must see in its cells, and not in the library alone."""


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_parameters(cell: nbformat.NotebookNode) -> bool:
    return "parameters" in cell.metadata.get("tags", [])


def test_the_suite_has_its_stages_in_order(root):
    assert [file.stem for file in sorted((root / "notebooks").glob("[0-9]*.ipynb"))] == STAGES


def test_it_is_valid_and_of_format_4_5(notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)


def test_it_runs_on_the_kernel_python3(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


def test_it_is_committed_without_outputs(notebook):
    left = [cell.id for cell in code_cells(notebook) if cell.outputs or cell.execution_count is not None]
    assert left == []


def test_no_trace_of_an_execution_is_committed(notebook):
    traces = [cell.id for cell in notebook.cells if cell.metadata.keys() & {"papermill", "execution", "ExecuteTime"}]
    assert (traces, "papermill" in notebook.metadata, "widgets" in notebook.metadata) == ([], False, False)


def test_every_cell_has_an_id_of_its_own(notebook, notebook_file):
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    assert [i for i in ids if not i.startswith(f"{notebook_file.stem[:2]}-")] == []


def test_it_opens_with_its_title_and_goal(notebook, notebook_file):
    first = notebook.cells[0]
    title, goal = first.source.split("\n\n", 2)[:2]
    assert first.cell_type == "markdown"
    number = f"{notebook_file.stem[:2]} " if notebook_file.stem in STAGES else ""
    assert title.startswith(f"# {number}") and len(title.removeprefix(f"# {number}").split()) >= 4
    assert goal.count(".") == 1


@pytest.mark.parametrize("said", ["| reads |", "| writes |", "| needs |", "./run_all.sh lab"])
def test_it_says_what_it_reads_writes_and_needs(lesson, said):
    assert said in lesson.cells[0].source


def test_one_markdown_cell_stands_before_each_code_cell(notebook):
    kinds = [cell.cell_type for cell in notebook.cells]
    alone = [cell.id for i, cell in enumerate(notebook.cells) if kinds[i] == "code" and kinds[i - 1] != "markdown"]
    assert alone == []


def test_it_ends_with_what_comes_next(lesson):
    assert lesson.cells[-1].source.startswith("## What's next")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_ends_with_two_exercises_that_have_solutions(stage, root):
    notebook = nbformat.read(root / "notebooks" / f"{stage}.ipynb", nbformat.NO_CONVERT)
    exercises = notebook.cells[-2].source
    assert exercises.startswith("## Exercises")
    assert re.findall(r"^(\d)\. ", exercises, re.M) == ["1", "2"]
    solutions = nbformat.read(root / "notebooks" / "solutions" / f"{stage}.ipynb", nbformat.NO_CONVERT)
    headings = [cell.source for cell in solutions.cells if cell.source.startswith("## Exercise ")]
    assert [heading[:13] for heading in headings] == ["## Exercise 1", "## Exercise 2"]


@pytest.mark.parametrize(("stage", "word"), [(stage, word) for stage, words in WORDS.items() for word in words])
def test_the_pattern_is_seen_in_the_cells(stage, word, root):
    notebook = nbformat.read(root / "notebooks" / f"{stage}.ipynb", nbformat.NO_CONVERT)
    assert word in "\n".join(cell.source for cell in code_cells(notebook))


def test_code_cells_are_short(notebook):
    lengths = {cell.id: len(cell.source.splitlines()) for cell in code_cells(notebook) if not is_parameters(cell)}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_CELL} == {}


def test_lines_of_code_are_seen_whole(notebook):
    lines = [(c.id, line) for c in code_cells(notebook) if not is_parameters(c) for line in c.source.splitlines()]
    assert [(name, line) for name, line in lines if len(line) > LONGEST_LINE] == []


def test_code_is_plain_python_without_magics_or_shell_escapes(notebook):
    for cell in code_cells(notebook):
        ast.parse(cell.source)
        assert not re.search(r"get_ipython|os\.system|subprocess", cell.source), cell.id


def test_prose_carries_the_story_and_not_code_comments(notebook):
    commented = [c.id for c in code_cells(notebook) if not is_parameters(c) and re.search(r"^\s*#", c.source, re.M)]
    assert commented == []


def test_the_parameters_come_before_the_first_import(notebook):
    cells = code_cells(notebook)
    assert [is_parameters(cell) for cell in cells] == [True] + [False] * (len(cells) - 1)


def test_settings_are_read_once_right_after_the_parameters(notebook):
    calls = [i for i, cell in enumerate(code_cells(notebook)) if "Settings.from_notebook(globals())" in cell.source]
    assert calls == [1]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_result_is_recorded_under_its_own_name_and_shown(stage, root):
    notebook = nbformat.read(root / "notebooks" / f"{stage}.ipynb", nbformat.NO_CONVERT)
    records = [c for c in code_cells(notebook) if f'record(settings.run_path, "{stage}", result, fact=' in c.source]
    assert len(records) == 1
    assert records[0].source.splitlines()[-1] == "result"


def test_what_it_opens_it_closes(notebook):
    source = "\n".join(cell.source for cell in code_cells(notebook))
    assert ("spark_session(settings" in source) == source.rstrip().endswith("spark.stop()")


def test_the_path_is_never_edited(notebook):
    assert "sys.path" not in "\n".join(cell.source for cell in code_cells(notebook))


def test_a_stage_after_setup_says_at_once_where_setup_has_not_run(notebook, notebook_file):
    code = "\n".join(cell.source for cell in code_cells(notebook))
    makes_its_own = notebook_file.stem in ("01_setup", "06_chaos", "explorer")
    assert ("require_setup(settings" in code) != makes_its_own
