# Airflow with Orchard's DAGs and plugins, in the versions that requirements.txt pins.
ARG AIRFLOW_IMAGE
FROM ${AIRFLOW_IMAGE}

WORKDIR /opt/orchard
COPY requirements.txt docker/requirements-postgres.txt ./
RUN pip install --quiet --no-cache-dir --require-hashes --requirement requirements.txt --requirement requirements-postgres.txt

COPY dags dags
COPY plugins plugins
COPY spark_jobs spark_jobs
COPY docker docker

ENV PYTHONPATH=/opt/orchard/spark_jobs \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/orchard/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/orchard/plugins
