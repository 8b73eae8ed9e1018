"""The log explorer: a page for people to search both tiers. `page` is what they see, `tiers` what answers."""
