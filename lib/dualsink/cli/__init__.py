"""The command line and the jobs behind it."""
