"""The lake: its layout, its storage, the ledger of known images, and retention."""
