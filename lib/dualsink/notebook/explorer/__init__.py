"""Log explorer: a page to search both tiers.

`page` is what people see, `tiers` what answers.
"""
