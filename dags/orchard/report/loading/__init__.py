"""Load the facts of a report from a published run. Writes nothing."""
