"""Iceberg: tables, files, commits, catalogue and storage."""
