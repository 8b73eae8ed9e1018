"""Developer's workbench: servers, notebook runs, chaos and benchmarks."""
