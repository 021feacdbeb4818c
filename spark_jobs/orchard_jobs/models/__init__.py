"""The model artefact: its export, its card, and the runtimes that run it."""
