"""Checks the permissions of Airflow and the nodes with IAM's policy simulator."""
