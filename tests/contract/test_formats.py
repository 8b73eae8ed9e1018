"""The page of formats is what the declarations say."""

from dualsink.events import describe


def test_the_page_of_formats_is_written_from_the_declarations(root):
    page = (root / "docs" / "formats.md").read_text(encoding="utf-8")
    assert page == describe.formats_page(), "write it anew: dualsink formats > docs/formats.md"
