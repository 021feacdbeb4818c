"""Airflow and the local EMR on one machine: development tooling, which only the command line imports."""
