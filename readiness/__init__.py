"""Whether a night would start: what ``orchard preflight`` asks of an AWS account. It only reads.

Not ``local_airflow/preflight.py``, which asks the same of this machine before make sets anything up.
"""
