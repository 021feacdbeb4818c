"""The state of clusters, steps and instances. Nothing here starts a process."""
