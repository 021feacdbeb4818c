"""Operators that create a run's cluster, run its steps, and terminate it."""
