"""Publish a run for readers, and register it in Glue."""
