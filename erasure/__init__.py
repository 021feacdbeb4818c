"""Deletes what a lake holds of a run, of an image or of everything, in every version: ``orchard purge``."""
