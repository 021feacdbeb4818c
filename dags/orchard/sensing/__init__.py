"""Looking for new images: listing, comparison with the ledger, the manifest of a run."""
