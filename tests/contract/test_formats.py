"""The page of formats is what the declarations say."""

from dualsink.events import describe
from dualsink.kafka import file_page


def test_the_page_of_formats_is_written_from_the_declarations(root):
    page = (root / "docs" / "formats.md").read_text(encoding="utf-8")
    assert page == f"{describe.formats_page()}\n{file_page.page()}", "write it anew: dualsink formats > docs/formats.md"
