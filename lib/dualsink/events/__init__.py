"""Events: parsed records, in every shape that people send."""
