"""The model artefact: its export, its card, and what computes with it."""
