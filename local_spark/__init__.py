"""Spark on this machine: the node's Python environment, model export and spark-submit."""
