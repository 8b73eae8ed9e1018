"""The names that the package offers, loaded only when they are used."""

import subprocess
import sys

import pytest

import dualsink


@pytest.mark.parametrize("name", dualsink.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(dualsink, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dualsink.nothing  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, dualsink; print([name for name in ('pyspark', 'pandas', 'kafka') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
