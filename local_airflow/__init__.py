"""Airflow and the local EMR on one machine: development tooling that only the command line imports."""
