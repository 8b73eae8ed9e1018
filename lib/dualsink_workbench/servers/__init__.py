"""Real servers on this machine, without Docker: Java, jars, processes."""
