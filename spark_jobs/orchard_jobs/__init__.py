"""The Spark jobs of Orchard: featurize, reduce, export. Imports no Airflow."""
