"""What Airflow's API server shows of the lake: published runs, two beside each other, and their files."""
