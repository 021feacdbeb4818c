"""A cluster at work: its lifecycle, and the processes, files and logs of its only node."""
