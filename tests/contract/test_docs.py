"""What the documentation promises: it is short where a stranger begins, whole, and points at what is there."""

import re
from pathlib import Path

import pytest
from tests.contract.conftest import ROOT

from dualsink.cli.command import COMMON
from dualsink.cli.main import commands
from dualsink_workbench.chaos.registry import SCENARIOS

LONGEST_README = 110
PARTS = ["Status", "Context", "Decision", "Rejected", "Consequences"]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "oracle" / "README.md"])
TEXTS = [*PAGES, *sorted(ROOT.glob("notebooks/*.ipynb")), *sorted(ROOT.glob("lib/**/*.py"))]
NAMED = re.compile(r"(?<![\w/.])(?:docs|lib|tests|notebooks|params|deploy)/[\w./-]*\w\.(?:md|py|ipynb|yaml|png|sh)\b")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
CALL = re.compile(r"(?:\./run_all\.sh|python -m dualsink(?!\w))([^`\n\\\"'#|>)]*)")
GROUPS = {"bench", "supply"}
MODULE = re.compile(r"python -m (dualsink[\w.]*)")


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def prose(text: str) -> list[str]:
    """The lines of a page that are neither code nor table nor heading."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line for line in text.splitlines() if not line.lstrip().startswith(("|", "#", "<", "!"))]


def is_command(words: list[str]) -> bool:
    """Whether these words are a command with options of its own; a placeholder stands for any."""
    called = [] if not words or words[0].startswith("-") else words[: 2 if words[0] in GROUPS else 1]
    if called == ["test"] or any(word.isupper() or "{" in word for word in called):
        return True
    table = {command.name: command for command in commands()}
    if (command := table.get(" ".join(called) or "run")) is None:
        return False
    known = {part for option in [*command.options.values(), *COMMON.values()] for part in option.name.split()}
    return {word for word in words if re.match(r"--?\w", word)} <= known | {"--help"}


def test_the_readme_is_short(root):
    assert len((root / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README


@pytest.mark.parametrize("file", TEXTS, ids=name)
def test_every_file_that_a_text_names_is_there(file, root):
    named = set(NAMED.findall(file.read_text(encoding="utf-8")))
    assert [path for path in sorted(named) if not (root / path).exists()] == []


@pytest.mark.parametrize("file", TEXTS, ids=name)
def test_every_command_that_a_text_names_is_one_with_these_options(file, root):
    text = file.read_text(encoding="utf-8")
    assert [call for call in CALL.findall(text) if not is_command(call.split())] == []
    modules = [root.joinpath("lib", *module.split(".")) for module in MODULE.findall(text)]
    assert [m for m in modules if not (m / "__main__.py").is_file() and not m.with_suffix(".py").is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_a_page_leads_to_a_file(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_has_one_sentence_a_line(page):
    lines = [re.sub(r"`[^`]*`|\([^)]*\)|“[^”]*”", "", line) for line in prose(page.read_text(encoding="utf-8"))]
    assert [line for line in lines if re.search(r"\w[.!?] +[A-Z]\w* ", re.sub(r"^\s*\d+\. ", "", line))] == []


@pytest.mark.parametrize("file", DECISIONS, ids=name)
def test_a_decision_has_its_five_parts(file):
    text = file.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == PARTS
    assert re.match(rf"# {int(file.name[:4])}\. \w", text)


def test_decisions_are_numbered_without_a_gap_and_listed(root):
    assert [int(file.name[:4]) for file in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    listed = re.findall(r"\(decisions/([^)]+)\)", (root / "docs" / "README.md").read_text(encoding="utf-8"))
    assert listed == [file.name for file in DECISIONS]


def test_the_index_lists_every_page_of_the_documentation(root):
    listed = re.findall(
        r"^\| \[.*?\]\(([\w-]+\.md)\)", (root / "docs/README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(listed) == {file.name for file in (root / "docs").glob("*.md")} - {"README.md"}


def test_the_glossary_has_eighteen_words(root):
    rows = re.findall(r"^\| (.*?) \| .* \|$", (root / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) - len(["word", "---"]) == 18


def test_the_table_of_chaos_has_a_row_for_every_scenario_and_no_failure(root):
    text = (root / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- chaos: .*?-->\n(.*?)<!-- end of chaos -->", text, re.DOTALL)[1]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]
    assert rows == [scenario.done for scenario in SCENARIOS.values()]


def test_every_message_of_the_page_on_duty_is_one_that_the_code_says(root):
    page = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.split("## Messages\n")[1].split("\n## ")[0]
    cells = [row.split(" | ")[0] for row in table.strip().splitlines()[2:]]
    messages = [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]
    source = "".join(file.read_text(encoding="utf-8") for file in sorted(root.glob("lib/**/*.py")))
    source = re.sub(r"\"\s*\n\s*f?\"", "", source)
    pieces = [piece.strip(" .:()") for message in messages for piece in message.split("…")]
    assert [piece for piece in pieces if piece not in source] == []
