"""The operators that create a run's cluster, run its steps, and end it."""
