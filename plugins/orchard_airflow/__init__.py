"""Orchard's operators, triggers, sensors, links and notifier.

Everything that a process of Airflow's may have to import by its path, also where it has no DAGs. It imports
nothing of ``dags/orchard``, and is imported once: ``.airflowignore`` keeps the loader of plugins out.
"""
