"""Refusals by their cause: answers as a real OpenSearch 3.4 gave them."""

import pytest

from dualsink.errors import DeploymentError, MappingRefused
from dualsink.opensearch.bulk import MAPPING_REASONS, MISMATCH, Tally, _settle, outcome_of
from dualsink.opensearch.sender import check_refusals

PARSE = "mapper_parsing_exception"


def refusal(kind: str, reason: str, cause: str = "") -> tuple[str, str]:
    """Reason and detail of a document that is answered so."""
    error = {"type": kind, "reason": reason} | ({"caused_by": {"type": cause, "reason": "quotes"}} if cause else {})
    tally = Tally()
    assert _settle([{"status": 400, "error": error}], [7], tally) == ([], set())
    ((position, *found),) = tally.refused
    assert position == 7
    return tuple(found)


@pytest.mark.parametrize(
    ("kind", "reason", "cause"),
    [
        ("illegal_argument_exception", "Document contains at least one immense term in field",
         "max_bytes_length_exceeded_exception"),
        ("illegal_argument_exception", "DocValuesField \"attributes\" is too large, must be <= 32766", ""),
        (PARSE, "failed to parse field [attributes] of type [flat_object] in document with id 'a'. Could not parse",
         "stream_constraints_exception"),
        (PARSE, "failed to parse field [offset] of type [long] in document with id 'a'. Preview of field's value: '1'",
         "input_coercion_exception"),
        (PARSE, "failed to parse field [timestamp] of type [date_nanos] in document with id 'a'. Preview of",
         "illegal_argument_exception"),
        (PARSE, "failed to parse", "json_e_o_f_exception"),
        ("an_exception_of_tomorrow", "something new", ""),
    ],
    ids=["term", "doc value", "long name", "number", "date", "no json", "unknown"],
)  # fmt: skip
def test_what_a_documents_values_cause_is_never_the_mappings_fault(kind, reason, cause):
    found, detail = refusal(kind, reason, cause)
    assert (found, detail) == (kind, f"{kind} <- {cause}" if cause else kind)
    check_refusals({found: 1_000}, 1_000, 0.05)


@pytest.mark.parametrize(
    ("kind", "reason", "found"),
    [
        ("strict_dynamic_mapping_exception", "mapping set to strict, dynamic introduction of [foo] within [_doc]",
         "strict_dynamic_mapping_exception"),
        ("illegal_argument_exception", "Limit of total fields [25] has been exceeded", MISMATCH),
        ("illegal_argument_exception", "mapper [level] cannot be changed from type [keyword] to [text]", MISMATCH),
        (PARSE, "object mapping for [attributes] tried to parse field [attributes] as object, but found a", MISMATCH),
        (PARSE, "failed to parse field [level] of type [integer] in document with id 'a'. Preview of field's value",
         MISMATCH),
        (PARSE, "failed to parse field [attributes.a] of type [long] in document with id 'a'. Preview of", MISMATCH),
    ],
    ids=["strict", "limit", "changed", "object", "type", "dynamic"],
)  # fmt: skip
def test_what_the_mapping_causes_is_named_and_stops_above_a_share(kind, reason, found):
    assert refusal(kind, reason) == (found, kind)
    assert found in MAPPING_REASONS
    check_refusals({found: 50, PARSE: 950}, 1_000, 0.05)
    with pytest.raises(MappingRefused, match=f"refused 51 of 1000 documents, over 5%.*{found} 51"):
        check_refusals({found: 51, PARSE: 949}, 1_000, 0.05)


@pytest.mark.parametrize(
    ("status", "kind", "reason", "remedy"),
    [
        (403, "cluster_block_exception", "index [a] blocked by: [FORBIDDEN/5/index read-only (api)];",
         '"index.blocks.read_only": false'),
        (429, "cluster_block_exception", "index [a] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage",
         "free some of it"),
        (400, "index_closed_exception", "closed", "POST INDEX/_open"),
        (400, "validation_exception", "Validation Failed: 1: this action would add [2] total shards, but this cluster "
         "currently has [1000]/[1000] maximum shards open;", "cluster.max_shards_per_node"),
    ],
    ids=["read only", "disk", "closed", "shards"],
)  # fmt: skip
def test_what_stops_the_stream_comes_with_its_remedy(status, kind, reason, remedy):
    with pytest.raises(DeploymentError) as caught:
        outcome_of(status, kind, reason)
    assert reason.rstrip(";") in str(caught.value)
    assert remedy in str(caught.value)
