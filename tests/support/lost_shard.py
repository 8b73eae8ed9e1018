"""Shards that a real node loses while a block runs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opensearchpy import OpenSearch

from dualsink import polling

_AWAY = ".away"
_GONE = "gone"


@contextmanager
def lost_shard(client: OpenSearch, index: str, shard: int = 1) -> Iterator[None]:
    """The node has no copy of a shard of the index while the block runs: its folder is somewhere else.

    The node is on this machine. One that may not be allocated does not do, for a node puts a primary that it has on
    its disk back in spite of all rules.
    """
    ((name, node),) = client.nodes.info(metric="settings")["nodes"].items()
    folder = _folder(client, node["settings"]["path"]["data"], index, shard)
    away = folder.with_name(folder.name + _AWAY)
    folder.rename(away)
    place = {"index": index, "shard": shard, "node": name, "allow_primary": True}
    client.cluster.reroute(body={"commands": [{"cancel": place}]})
    assert polling.until(lambda: _state(client, index, shard) == "UNASSIGNED", 60), _state(client, index, shard)
    try:
        yield
        assert _state(client, index, shard) in ("UNASSIGNED", _GONE), "the node has found the shard again by itself"
    finally:
        if away.exists():  # else the index was deleted with all that it had
            shutil.rmtree(folder, ignore_errors=True)
            away.rename(folder)
    if _state(client, index, shard) != _GONE:
        # The node remembers that it has no copy, and is told to take this one.
        back = {"index": index, "shard": shard, "node": name, "accept_data_loss": True}
        client.cluster.reroute(body={"commands": [{"allocate_stale_primary": back}]})
        assert polling.until(lambda: _state(client, index, shard) == "STARTED", 60), _state(client, index, shard)


def _folder(client: OpenSearch, data: str | list[str], index: str, shard: int) -> Path:
    uuid = client.indices.get_settings(index=index)[index]["settings"]["index"]["uuid"]
    root = Path(data if isinstance(data, str) else data[0])
    return root / "nodes" / "0" / "indices" / uuid / str(shard)


def _state(client: OpenSearch, index: str, shard: int) -> str:
    """State of the shard's primary; `gone` if the index was deleted meanwhile."""
    params = {"format": "json", "h": "index,shard,prirep,state"}
    found = [copy for copy in client.cat.shards(params=params) if copy["index"] == index]
    states = (copy["state"] for copy in found if copy["shard"] == str(shard) and copy["prirep"] == "p")
    return next(states, _GONE)
