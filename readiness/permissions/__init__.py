"""Whether Airflow and the nodes may do what a night does, by IAM's own simulator."""
