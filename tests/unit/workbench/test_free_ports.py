"""Ports that are drawn are nobody else's until the process that drew them ends: servers bind them seconds later."""

import subprocess
import sys

import pytest

from dualsink.errors import PlatformError
from dualsink_workbench.servers.process import free_ports

RANGE = (14_000, 14_010)
DRAW_ALL = f"""
from dualsink_workbench.servers.process import free_ports
print(free_ports(10, *{RANGE}), flush=True)
input()
"""


def test_ports_that_another_process_drew_are_not_drawn_again_until_it_ends():
    with subprocess.Popen([sys.executable, "-c", DRAW_ALL], stdin=-1, stdout=-1, text=True) as other:
        assert "14000" in other.stdout.readline()
        with pytest.raises(PlatformError, match="No 1 ports are free between 14000 and 14010"):
            free_ports(1, *RANGE)
        other.communicate("\n")
    assert free_ports(1, *RANGE)[0] in range(*RANGE)


def test_a_process_does_not_draw_a_port_twice():
    drawn = free_ports(3, 14_020, 14_026) + free_ports(3, 14_020, 14_026)
    assert sorted(drawn) == list(range(14_020, 14_026))
