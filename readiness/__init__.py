"""Checks whether a nightly run would start in an AWS account: ``orchard preflight``. Read-only.

``local_airflow/preflight.py`` is another one: it checks this machine before make sets anything up.
"""
