# Stands in for apache/airflow:slim-3.3.2-python3.11: its user, its folders, its environment, and Airflow from PyPI.
FROM orchard-standin/python:3.11
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends dumb-init && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 50000 --gid 0 --create-home airflow \
 && mkdir -p /opt/airflow/logs /opt/airflow/dags && chown -R airflow:0 /opt/airflow && chmod -R g+rwX /opt/airflow /home/airflow
USER airflow
ENV AIRFLOW_HOME=/opt/airflow PATH=/home/airflow/.local/bin:/usr/local/bin:/usr/bin:/bin
WORKDIR /opt/airflow
COPY --chown=airflow:0 requirements.txt /tmp/
# Constraints take no hashes; the image that is built on this one checks them.
RUN python -m venv /home/airflow/.local \
 && sed -n 's/^\([a-z0-9].*==[^\\]*[^\\ ]\) *\\*$/\1/p' /tmp/requirements.txt > /tmp/constraints.txt \
 && pip install --no-cache-dir --quiet apache-airflow==3.3.2 -c /tmp/constraints.txt \
 && chmod -R g+rwX /home/airflow/.local
ENTRYPOINT ["/usr/bin/dumb-init", "--"]
