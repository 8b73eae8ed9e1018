"""The streaming query: every micro-batch to both stores."""
