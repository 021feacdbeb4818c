"""Making a run exist for readers, and for Glue."""
