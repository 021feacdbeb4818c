"""What the DAG imports of others: every task has it from the process that forks it, a second sooner.

Airflow imports a module of this name when it starts. Nothing here may start a thread, as NumPy and Arrow do:
a fork takes none along.
"""

import airflow.providers.amazon.aws.hooks.emr
import airflow.providers.amazon.aws.hooks.sns
import airflow.providers.amazon.aws.triggers.sqs
import airflow.providers.http.hooks.http
import airflow.providers.standard.operators.python  # noqa: F401

__all__: list[str] = []  # no settings
