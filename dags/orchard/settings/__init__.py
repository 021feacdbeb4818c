"""Settings: read from ORCHARD_ variables, checked once, frozen. Imports nothing above."""
