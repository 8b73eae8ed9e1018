"""How messages name this program's own commands."""

import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from dualsink import invocation
from dualsink.errors import NotSetUp


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """A package that is installed, and no checkout."""
    monkeypatch.setattr(invocation, "_SCRIPT", tmp_path / "run_all.sh")


def test_a_checkout_has_its_script():
    assert invocation.command("up") == "./run_all.sh up"


def test_who_typed_the_console_command_reads_of_it(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/dualsink", "setup"])
    assert invocation.command("up") == "dualsink up"


def test_outside_of_a_checkout_there_is_the_console_command_alone(outside):
    assert invocation.command("up") == "dualsink up"


def test_a_command_names_the_settings_that_were_chosen(outside):
    invocation.choose(" --params my.yaml")
    assert "(01_setup, or dualsink setup --params my.yaml)" in str(NotSetUp("topic logs"))


def test_a_notebook_shows_the_message_of_an_error_and_not_the_calls_that_led_to_it():
    shell = InteractiveShell()
    shown = []
    shell._showtraceback = lambda kind, error, lines: shown.extend(lines)
    shell.run_cell("from dualsink.errors import SettingsError\nraise SettingsError('Impossible:\\n  seed: -1')")
    assert shown == ["SettingsError: Impossible:", "  seed: -1"]
