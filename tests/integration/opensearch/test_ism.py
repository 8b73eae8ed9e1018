"""ISM by its recorded answers, in front of a real node: installed, attached, updated, explained."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.support.ism_node import IsmNode, Refused, check_policy, ism_node

from dualsink.cli import jobs
from dualsink.errors import DeploymentError
from dualsink.opensearch import index, ism
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings

DAYS = ("2026.11.23", "2026.11.24")


@pytest.fixture
def managed(settings: Settings) -> Iterator[tuple[Settings, IsmNode]]:
    """A node with ISM and two day indices that are older than the policy; no day ever expires."""
    with ism_node(settings.opensearch_url) as (port, node):
        settings = settings.model_copy(
            update={"opensearch_port": port, "servers": "external", "hot_days": 36500, "hot_merge_days": 36400}
        )
        with closing(index.connect(Cluster.of(settings))) as client:
            for day in DAYS:
                client.indices.create(index=f"{settings.opensearch_index}-{day}")
        yield settings, node


def retention(settings: Settings) -> list[str]:
    return list(jobs.retention(settings).lines())


def seal(node: IsmNode, settings: Settings) -> str:
    """Let ISM have moved the first day to `sealed`; returns its index."""
    name = f"{settings.opensearch_index}-{DAYS[0]}"
    node.tick(name, state={"name": "sealed", "start_time": 1795900000000})
    return name


def policy_line(settings: Settings) -> str:
    return next(line for line in retention(settings) if line.startswith("policy: "))


def test_the_policy_is_installed_attached_to_existing_days_and_explained(managed):
    settings, node = managed
    lines = retention(settings)
    names = [f"{settings.opensearch_index}-{day}" for day in DAYS]
    assert "policy: created" in lines
    assert list(node.managed) == names
    assert [line for line in lines if line.startswith("ISM")] == [
        f"ISM       {name}: not started, policy {settings.opensearch_index}-retention. " for name in names
    ]


def test_twice_more_changes_nothing_and_attaches_nothing(managed):
    settings, node = managed
    retention(settings)
    node.calls.clear()
    assert [policy_line(settings), policy_line(settings)] == ["policy: exists"] * 2
    assert {method for method, _ in node.calls} == {"GET"}


def test_other_parameters_update_it_with_its_sequence_numbers_and_change_managed_days(managed):
    settings, node = managed
    retention(settings)
    first, second = (f"{settings.opensearch_index}-{day}" for day in DAYS)
    node.tick(first)
    node.tick(second, policy_completed=True)
    node.managed[second]["enabled"] = False
    node.calls.clear()
    assert policy_line(settings.model_copy(update={"hot_days": 36501})) == "policy: updated"
    assert [path for method, path in node.calls if method == "POST"] == [f"/_plugins/_ism/change_policy/{first}"]
    assert node.policies[ism.policy_id(HotTier.of(settings))]["_version"] == 2


def test_days_stay_managed_when_they_need_no_longer_be_closed(managed):
    settings, node = managed
    closing = settings.model_copy(update={"hot_read_only": True})
    retention(closing)
    name = seal(node, closing)
    retention(settings)
    assert (node.managed[name]["enabled"], node.metadata[name].get("info")) == (True, None)


def test_a_day_that_ISM_has_ended_is_told_as_a_failure_and_attached_again_by_the_next_run(managed):
    settings, node = managed
    retention(settings)
    name = f"{settings.opensearch_index}-{DAYS[0]}"
    node.tick(name, state={"name": "gone", "start_time": 1795900000000})
    found = jobs.retention(settings, dry_run=True)
    with pytest.raises(DeploymentError, match=f"ISM does not manage {name}"):
        found.check()
    assert any("gone (ended by ISM)" in line and "Failed to find state=gone" in line for line in found.lines())
    node.calls.clear()
    assert any(f"{name}: not started" in line for line in retention(settings))
    assert [path for method, path in node.calls if method == "POST"] == [
        f"/_plugins/_ism/{order}/{name}" for order in ("remove", "add")
    ]


def test_a_refusal_of_an_index_is_raised_with_ISMs_reason(managed):
    settings, node = managed
    node.failing[f"{settings.opensearch_index}-{DAYS[0]}"] = "This index is closed"
    with pytest.raises(DeploymentError, match="refuses to add .*This index is closed"):
        retention(settings)


def test_an_index_that_its_template_attached_meanwhile_is_no_failure(managed):
    settings, node = managed
    node.failing[f"{settings.opensearch_index}-{DAYS[0]}"] = (
        "This index already has a policy, use the update policy API"
    )
    assert "policy: created" in retention(settings)


def test_a_day_deleted_while_it_is_explained_is_left_out(managed):
    settings, _ = managed
    with closing(index.connect(Cluster.of(settings))) as client:
        assert ism._explained(client, f"{settings.opensearch_index}-2026.11.22") is None


@pytest.mark.parametrize(
    ("metadata", "state", "message"),
    [
        ({}, "hot", ""),
        ({"info": {"message": "Evaluating transition"}}, "hot", "Evaluating transition"),
        ({"state": None, "transition_to": "expired"}, "to expired", ""),
        ({"policy_completed": True, "state": None}, "completed", ""),
        (
            {"step": {"step_status": "failed"}, "info": {"message": "Failed", "cause": "disk"}},
            "hot (failed)",
            "Failed (disk)",
        ),
    ],
    ids=["hot", "busy", "moving", "completed", "failed"],
)
def test_a_state_is_told_in_words(managed, metadata, state, message):
    settings, node = managed
    retention(settings)
    node.tick(f"{settings.opensearch_index}-{DAYS[0]}", **metadata)
    with closing(index.connect(Cluster.of(settings))) as client:
        found = ism.explain(client, HotTier.of(settings))[0]
    assert (found["state"], found["message"]) == (state, message)


def test_the_policy_goes_with_everything_else_and_is_not_missed_twice(managed):
    settings, _ = managed
    with closing(index.connect(Cluster.of(settings))) as client:
        hot = HotTier.of(settings)
        ism.ensure_policy(client, hot)
        assert (ism.drop_policy(client, hot), ism.drop_policy(client, hot)) == (True, False)


# -- the policy itself -----------------------------------------------------------------------------------


def states(settings: Settings) -> dict[str, tuple]:
    policy = ism.policy_body(HotTier.of(settings))["policy"]
    return {
        s["name"]: (
            [next(iter(a)) for a in s["actions"]],
            [(t["state_name"], t["conditions"]) for t in s["transitions"]],
        )
        for s in policy["states"]
    }


def test_a_day_expires_when_it_has_left_the_hot_window_and_is_never_deleted_by_age():
    assert states(Settings()) == {
        "hot": ([], [("sealed", {"min_index_age": "2d"})]),
        "sealed": ([], [("expired", {"min_index_age": "8d"})]),
        "expired": ([], []),
    }


def test_days_that_take_no_writes_are_sealed_and_merged_a_day_after_their_end():
    assert states(Settings(hot_read_only=True)) == {
        "hot": ([], [("sealed", {"min_index_age": "2d"})]),
        "sealed": (["read_only", "force_merge"], [("expired", {"min_index_age": "8d"})]),
        "expired": ([], []),
    }


@pytest.mark.parametrize("read_only", [False, True])
def test_ISM_accepts_the_policy(read_only):
    check_policy(json.loads(json.dumps(ism.policy_body(HotTier.of(Settings(hot_read_only=read_only))))))


def test_the_stand_in_refuses_what_ISM_refuses():
    body = ism.policy_body(HotTier.of(Settings()))
    body["policy"]["states"][0]["transitions"][0]["conditions"] = {}
    with pytest.raises(Refused, match="more than one"):
        check_policy(body)
