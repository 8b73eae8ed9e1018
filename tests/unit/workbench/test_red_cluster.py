"""A red cluster: whether OpenSearch still recovers, or has given a shard up. Answers as a node gave them."""

import pytest

from dualsink_workbench.servers.opensearch import _redness
from dualsink_workbench.servers.server import Stuck

GIVEN_UP = {
    "index": "survivors", "shard": 0, "primary": True, "can_allocate": "no_valid_shard_copy",
    "unassigned_info": {"reason": "ALLOCATION_FAILED", "details": "failed shard on node"},
    "allocate_explanation": "cannot allocate because all found copies of the shard are either stale or corrupt",
    "node_allocation_decisions": [{"store": {"store_exception": {"reason": "segments_3 is damaged"}}}],
}  # fmt: skip


class Client:
    """Gives one answer."""

    def __init__(self, explanation: dict):
        self.cluster = self
        self._explanation = explanation

    def allocation_explain(self) -> dict:
        return self._explanation


def test_a_primary_that_was_given_up_is_named_with_its_reasons():
    told = _redness(Client(GIVEN_UP))
    assert isinstance(told, Stuck)
    assert "survivors[0]: failed shard on node; cannot allocate" in str(told) and "segments_3 is damaged" in str(told)


@pytest.mark.parametrize(
    "recovering",
    [{"can_allocate": "awaiting_info"}, {"can_allocate": "throttled"}, {"primary": False, "can_allocate": "no"}],
    ids=["unknown yet", "in turn", "a replica beside a primary that recovers"],
)
def test_what_recovers_is_waited_for(recovering):
    assert type(_redness(Client(GIVEN_UP | recovering))) is ConnectionError
