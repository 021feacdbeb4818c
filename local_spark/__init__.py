"""Spark on this machine: the node's Python, the model that it exports, and what its spark-submit runs."""
