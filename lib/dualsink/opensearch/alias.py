"""Alias that people search: members, and those it should have."""

from dataclasses import dataclass
from datetime import date

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, NotFoundError

from dualsink.opensearch import index
from dualsink.opensearch.hot_tier import HotTier

_NARROWING = {"filter", "search_routing"}
"""Parts of an alias's definition with which a search finds a part of the index."""


@dataclass(frozen=True)
class Alias:
    """Alias with its template, and indices by kind.

    `expected` are all day indices, rehydrated ones too; `hidden` those of them that a search does not find whole, and
    `strangers` the members that are no day's. `days` are the event days (UTC) of `expected`.
    """

    name: str
    template: bool
    days: tuple[date, ...]
    expected: tuple[str, ...]
    hidden: tuple[str, ...]
    strangers: tuple[str, ...]


def look(client: OpenSearch, hot: HotTier) -> Alias:
    """Look at the alias and the day indices."""
    name = hot.alias
    found = [index.day_indices(client, prefix) for prefix in hot.prefixes]
    expected = [each for days in found for each in days.values()]
    members = _members(client, name)
    whole = {each for each, definition in members.items() if not definition.keys() & _NARROWING}
    return Alias(
        name,
        _has_template(client, name),
        tuple(sorted({day for days in found for day in days})),
        tuple(expected),
        tuple(each for each in expected if each not in whole),
        tuple(sorted(members.keys() - set(expected))),
    )


def mend(client: OpenSearch, hot: HotTier) -> bool:
    """Put all day indices behind the alias.

    Others are taken out. Deletes nothing. Returns whether something was changed.
    """
    alias = look(client, hot)
    actions = [{"add": {"index": each, "alias": alias.name}} for each in alias.hidden]
    actions += [{"remove": {"index": each, "alias": alias.name}} for each in alias.strangers]
    if actions:
        client.indices.update_aliases(body={"actions": actions})
    return bool(actions)


def _members(client: OpenSearch, name: str) -> dict[str, dict]:
    """Return the alias's definition in each of its indices.

    Asked of these alone: the right to see every alias is not needed.
    """
    try:
        return {each: found["aliases"][name] for each, found in client.indices.get_alias(index=name, name=name).items()}
    except NotFoundError:
        return {}


def _has_template(client: OpenSearch, name: str) -> bool:
    """Check the template with the alias.

    A user who may not ask is taken to have it.
    """
    try:
        found = client.indices.get_index_template(name=name)["index_templates"][0]["index_template"]
    except NotFoundError:
        return False
    except AuthorizationException:
        return True
    return name in found.get("template", {}).get("aliases", {})
