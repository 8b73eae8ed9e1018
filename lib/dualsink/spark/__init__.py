"""Spark: session, Java, jars, signals and failures."""
