"""Settings and a run's parameters: read from ORCHARD_ variables, checked once, frozen."""
