"""The words of docstrings: what a reader of the first line can rely on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.conftest import ROOT

LONGEST = 10
# Words that are no terms of the field, or mean several things.
FORBIDDEN = re.compile(
    r"\b(bears?|bearing|stands?|stood|lies|lying|tells?|told|telling|lends?|lent|lending|obeys?|fates?|lots?"
    r"|in vain|to be had)\b",
    re.IGNORECASE,
)
# How a function's first line does not begin: its verb is imperative.
NO_VERB = re.compile(
    r"(The|A|An|What|Whether|How|Where|Which|Every|All|It|This|That|One|Each|Who|When|None)\b|\w{2,}(?<!Br)ing\b|`"
)
# How the first line of a module, a class or a property does not begin: it is a noun.
NO_NOUN = re.compile(r"(What|Whether|How|Where|Which|Who|When|Why)\b")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules() -> list[Path]:
    return sorted(ROOT.glob("lib/**/*.py"))


def documented(file: Path) -> Iterator[tuple[ast.AST, str]]:
    """Each module, class and function with the first line of its docstring."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)) and (text := ast.get_docstring(node)):
            yield node, text.splitlines()[0]


def is_function(node: ast.AST) -> bool:
    """Whether it is a function and no property, which reads as a noun."""
    decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", [])]
    return isinstance(node, FUNCTIONS) and not {"property", "cached_property"} & set(decorators)


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", modules(), ids=name)
def test_a_first_line_has_at_most_ten_words(file):
    assert [line for _, line in documented(file) if len(line.split()) > LONGEST] == []


@pytest.mark.parametrize("file", modules(), ids=name)
def test_a_first_line_uses_the_words_of_the_field(file):
    assert [line for _, line in documented(file) if FORBIDDEN.search(line)] == []


@pytest.mark.parametrize("file", modules(), ids=name)
def test_a_functions_first_line_begins_with_a_verb_and_others_with_a_noun(file):
    lines = [(is_function(node), line) for node, line in documented(file)]
    assert [line for function, line in lines if (NO_VERB if function else NO_NOUN).match(line)] == []
