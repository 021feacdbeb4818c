"""Deletes a run, an image or everything from a lake, in every object version: ``orchard purge``."""
