"""Find new images: list them, compare them with the ledger, write the run's manifest."""
