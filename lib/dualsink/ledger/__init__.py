"""The ledger: proof that both stores hold the same events."""
