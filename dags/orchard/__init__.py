"""What the DAG files of Orchard call. Pure functions first, input and output at the edge."""
