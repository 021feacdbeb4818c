"""What a cluster does: its life, and the processes, files and logs of its one node."""
