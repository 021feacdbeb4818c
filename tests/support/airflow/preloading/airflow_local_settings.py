"""Imports the DAG's dependencies in the process that forks the tasks: each task starts a second faster.

Airflow imports a module of this name when it starts. Do not import anything that starts threads, such as
NumPy and Arrow, because threads do not survive a fork.
"""

import airflow.providers.amazon.aws.hooks.emr
import airflow.providers.amazon.aws.hooks.sns
import airflow.providers.amazon.aws.triggers.sqs
import airflow.providers.http.hooks.http
import airflow.providers.standard.operators.python  # noqa: F401

__all__: list[str] = []  # no settings
