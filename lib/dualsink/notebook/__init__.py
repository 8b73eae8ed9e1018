"""Notebook views: results, queries, plots, dashboards, the explorer."""
