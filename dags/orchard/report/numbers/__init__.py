"""The statistics of a report. Pure."""
