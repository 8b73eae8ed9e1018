"""The main job: servers, notebooks, report."""
