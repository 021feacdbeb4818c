"""What a cluster is: its states, its steps and its instances. Nothing here starts a process."""
