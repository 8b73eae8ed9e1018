"""Texts as people paste them into the search: words where they name no field, query strings where they do."""

import pytest

from dualsink.errors import SettingsError
from dualsink.notebook.explorer import lucene, pasted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Out of memory: 67836 MB", r"Out of memory\: 67836 MB"),
        ("GET http://shop.example:8080/cart?id=1", r"GET http\:\/\/shop.example\:8080\/cart?id=1"),
        ("10:24:31", r"10\:24\:31"),
        ("C:\\", r"C\:\\"),
        ("open /var/log/app.log failed", r"open \/var\/log\/app.log failed"),
        ("[worker-1] failed: no such file (os error 2)", r"\[worker\-1\] failed\: no such file \(os error 2\)"),
        ('nosuch:1 AND "a: b"', r'nosuch\:1 AND "a: b"'),
        ("at com.example.Cart.add(Cart.java:42)", r"at com.example.Cart.add\(Cart.java\:42\)"),
    ],
)
def test_what_names_no_field_is_words_and_the_person_is_told(text, words):
    found, (told,) = pasted.read(text)
    assert found == words
    assert told.endswith(f"Read as words: {text}")
    assert lucene.condition(found).columns == {"message", "stack_trace", "service", "host", "attributes"}


def test_names_that_are_no_fields_are_listed_beside_those_that_are():
    assert pasted.read("nosuch:1")[1][0].startswith("There is no field nosuch. Fields: log_id, timestamp, ")


@pytest.mark.parametrize(
    "text",
    [
        "", "timeout", "level:ERROR AND service:cart", 'message:"a: b"', "timestamp:[now-1h TO now]",
        "attributes.user:7", "time* -level:DEBUG", "/x+/", "_exists_:trace_id", "level:(ERROR OR FATAL)",
        "offset:>=0", "*",
    ],
)  # fmt: skip
def test_a_query_string_stays_as_it_is(text):
    assert pasted.read(text) == (text, [])


def test_a_query_string_with_a_mistake_in_it_is_left_to_the_store_that_says_where():
    assert pasted.read("level:(ERROR") == ("level:(ERROR", [])


@pytest.mark.parametrize(("text", "meant"), [("level:error", "level:ERROR"), ("a AND level:warn", "a AND level:WARN")])
def test_a_level_is_found_however_it_is_written(text, meant):
    assert pasted.read(text) == (meant, [])


@pytest.mark.parametrize("text", ["*out", "service:*cart", "a ?b"])
def test_a_word_that_begins_with_a_wildcard_is_refused_with_the_reason(text):
    with pytest.raises(SettingsError, match="begins with a wildcard"):
        pasted.read(text)
