"""Orchard's operators, triggers, sensors, links and notifier.

Any Airflow process may import them by path, even one without DAGs: so nothing here imports ``dags/orchard``.
``.airflowignore`` keeps the plugin loader from importing the package a second time.
"""
