"""The pages in Airflow's UI: published runs, comparisons of two runs, and their files."""
