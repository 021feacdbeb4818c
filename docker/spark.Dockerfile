# A node with Spark, for the local EMR and its steps, the model export, and Spark's history server.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}

RUN apt-get update \
 && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/orchard
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

# The node's environment, created by the script that EMR runs on every node.
COPY bootstrap bootstrap
COPY local_spark/requirements-pyspark.txt local_spark/
RUN bash bootstrap/install_node.sh --target /opt/orchard/venv --source file:///opt/orchard/bootstrap --with-tensorflow \
 && venv/bin/python -m pip install --quiet --require-hashes -r local_spark/requirements-pyspark.txt \
 && ln -s venv .venv-node

# The local EMR's own dependencies, in the same versions as Airflow's.
COPY docker/requirements-emr.txt docker/
RUN python -m venv emr && emr/bin/pip install --quiet --require-hashes -r docker/requirements-emr.txt

RUN ln -s venv/lib/python3.11/site-packages/pyspark spark

COPY spark_jobs spark_jobs
COPY local_emr local_emr
COPY local_spark local_spark
COPY local_airflow/sample_images.py local_airflow/
COPY docker docker
RUN python bootstrap/package.py build

# Hadoop looks up the name of its user, so the user must exist in the image.
ARG UID=50000
RUN useradd --uid ${UID} --gid 0 --create-home orchard \
 && install --directory --owner ${UID} --group 0 --mode 0770 /var/lib/orchard /run/emr
USER ${UID}:0
ENV ORCHARD_STATE=/var/lib/orchard/state
