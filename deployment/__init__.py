"""A git revision, its wheels and a model into a bucket, for EMR and managed Airflow: ``orchard deploy``."""
