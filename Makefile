# What can be done here. CI calls only these targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
AIRFLOW_ENV := .venv
NODE_ENV := .venv-node
PEERS_ENV := .venv-peers
NOTEBOOK_ENV := .venv-notebook
TOOLS_ENV := .venv-tools
MWAA_ENV := .venv-mwaa
UV := $(AIRFLOW_ENV)/bin/uv
ORCHARD := $(AIRFLOW_ENV)/bin/orchard
BUILD := build

# Arguments of targets are in the environment of their recipes, which pass them on as options of the command orchard:
# so a path may hold a space or a quote.
export IMAGES WEIGHTS LAKE MODELS PORT EMR_PORT PYTHON OBJECTS MODEL N MANY ROUNDS PARTS RESULTS
export BUCKET STACK SETTINGS ENVIRONMENT REVISION REGION DRY_RUN RUN IMAGE ALL CONFIRM

.PHONY: help demo up down model test test-all test-jobs test-units test-one-run test-integration test-local-emr test-cluster test-system test-faults test-s3a test-mwaa test-mwaa-suites s3a-jars test-yarn yarn-jars history compose-env compose-test notebook bench-listing bench bench-check bench-photographs bench-sizing bench-docs lint format lock sbom audit package setup clean preflight-%

help: ## This list
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## /{printf "  %-18s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run it on this machine

demo: preflight-demo setup ## Run the real DAG on a local EMR [IMAGES=dir] [WEIGHTS=file.h5|.keras] [LAKE=dir]
	@$(ORCHARD) demo $${IMAGES:+"--images=$$IMAGES"} $${WEIGHTS:+"--weights=$$WEIGHTS"} $${LAKE:+"--lake=$$LAKE"} \
		$${EMR_PORT:+"--emr-port=$$EMR_PORT"}

up: preflight-up setup ## Start Airflow with its UI and a local EMR [PORT=8080] [LAKE=dir] [IMAGES=dir] [WEIGHTS=file]
	@$(ORCHARD) up $${IMAGES:+"--images=$$IMAGES"} $${WEIGHTS:+"--weights=$$WEIGHTS"} $${LAKE:+"--lake=$$LAKE"} \
		$${PORT:+"--port=$$PORT"} $${EMR_PORT:+"--emr-port=$$EMR_PORT"}

down: ## Stop what `make up` started
	@if [ -x $(ORCHARD) ]; then $(ORCHARD) down; fi

history: setup ## Spark's history server on the runs of a lake, on loopback [LAKE=dir] [PORT=18080]
	@$(ORCHARD) history $${LAKE:+"--lake=$$LAKE"} $${PORT:+"--port=$$PORT"}

compose-env: ## Write .env for docker-compose.yaml: secrets, ports, base images
	@$(PYTHON) local_airflow/compose_env.py

compose-test: ## All of docker-compose.yaml for real; takes Docker [IMAGES=dir] [WEIGHTS=file] [KEEP=1]
	@$(PYTHON) -m tests.system.compose

notebook: $(AIRFLOW_ENV)/.orchard-ready $(NOTEBOOK_ENV)/.jupyterlab-ready ## JupyterLab on notebooks/, on loopback [LAKE=dir]
	@$(ORCHARD) notebook $${LAKE:+"--lake=$$LAKE"}

# What `make test` runs of suites that take longer: the local EMR's protocol, and the whole DAG once, with Spark.
PROTOCOL := tests/integration/local_emr/test_emr_protocol.py
ONE_RUN := tests/system/e2e/test_demo.py::test_good_and_bad_images_end_in_the_csv_and_in_the_rejects
PYTEST := -m pytest --durations=25
# Two suites at a time, one for each core, the longest first; what one says comes when it ends.
LANES = SECONDS=0; $(MAKE) -j2 --output-sync=target
TOOK = echo "Passed: make $@ took $$((SECONDS / 60)) min $$((SECONDS % 60)) s."

##@ Test

test: setup-tests ## Unit tests, the jobs on Spark, the whole DAG once: takes neither Maven, Chromium nor Docker
	@echo "Two suites run side by side. What each one says comes at its end."
	@$(LANES) test-jobs test-units test-one-run; $(TOOK)

test-all: setup-tests $(NOTEBOOK_ENV)/.ready ## Everything, as CI does: the fault matrix beside `make test` and all that is left
	@echo "Two suites run side by side. What each one says comes at its end."
	@$(LANES) test-faults test-jobs test-units test-one-run test-system test-integration test-local-emr test-cluster; $(TOOK)

test-jobs: setup-tests ## Unit tests of the Spark jobs and the benchmarks, in the node's environment
	$(NODE_ENV)/bin/python $(PYTEST) tests/unit

test-units: setup-tests ## All other unit tests, and the local EMR's protocol
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/unit $(PROTOCOL)

test-one-run: setup-tests # The whole DAG on the local EMR with Spark, once
	$(AIRFLOW_ENV)/bin/python $(PYTEST) $(ONE_RUN)

test-integration: setup-tests ## Whole DAG runs with a fake Spark, servers, the browser
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/integration/airflow tests/integration/cli

test-local-emr: setup-tests ## The local EMR: clusters, steps, faults, Spark on it
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/integration/local_emr --deselect $(PROTOCOL)

test-cluster: setup-tests # The jobs on a cluster of processes, their bootstrap, and what erasing leaves them
	$(NODE_ENV)/bin/python $(PYTEST) tests/integration

test-system: setup-tests $(NOTEBOOK_ENV)/.ready ## make demo, orchard run, S3A and YARN (which skip without `make s3a-jars yarn-jars`)
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/system --ignore tests/system/faults --deselect $(ONE_RUN)

test-faults: setup-tests ## The fault matrix; writes docs/reliability.md
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/system/faults --reliability docs/reliability.md

test-s3a: setup-tests ## The jobs and the DAG on an S3 of this machine, through S3A; skips without `make s3a-jars`
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/system/s3a

test-yarn: setup-tests ## The jobs on YARN, in client and in cluster mode; skips without `make s3a-jars yarn-jars`
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/system/yarn

# A checkout of its own for each: an environment has one Python. What is not committed is not tested.
test-pythons: ## `make demo` with each of PYTHONS="python3.12 python3.13"; 4 GB and some minutes each
	@for python in $(PYTHONS); do \
		folder=$$(mktemp -d) && git clone --quiet . "$$folder/orchard" && \
		$(MAKE) --no-print-directory -C "$$folder/orchard" demo PYTHON="$$python" WEIGHTS=untrained; \
		failed=$$?; rm -rf "$$folder"; \
		[ $$failed = 0 ] || { echo "Failed with $$python."; exit 1; }; \
		echo "Passed with $$("$$python" --version)."; \
	done
PYTHONS := python3.12 python3.13

# The Python first: without one no environment is made.
test-mwaa: ## Airflow's unit tests, whole DAG runs, pages with the versions of managed Airflow; skips without [MWAA_PYTHON=python3.12]
	@if $(MWAA_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; \
	then $(MAKE) test-mwaa-suites; \
	else echo "Skipped: make test-mwaa takes Python 3.12, which $(MWAA_PYTHON) is not. Name one: make test-mwaa MWAA_PYTHON=…"; fi
MWAA_PYTHON := python3.12
PAGES := tests/integration/airflow/browser/test_pages_browser.py

test-mwaa-suites: $(MWAA_ENV)/.ready
	$(MWAA_ENV)/bin/python $(PYTEST) tests/unit/airflow tests/integration/airflow/dag_runs $(PAGES)

s3a-jars: .orchard/s3a-jars/.ready ## Fetch what test-s3a needs from Maven Central: 13 MB, with Maven

yarn-jars: .orchard/yarn-jars/.ready ## Fetch what test-yarn needs beside these from Maven Central: 50 MB, with Maven

##@ Measure

bench-listing: setup ## Time and memory of the search for new images, without a network [OBJECTS=1000000]
	@PYTHONPATH=dags:spark_jobs AIRFLOW_HOME="$(CURDIR)/.orchard/benchmarks" AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING \
		$(AIRFLOW_ENV)/bin/python -m benchmarks.listing

BENCH := PYTHONPATH=spark_jobs $(NODE_ENV)/bin/python -m benchmarks $${IMAGES:+"--images=$$IMAGES"} $${WEIGHTS:+"--weights=$$WEIGHTS"} \
	$${MODEL:+"--model=$$MODEL"} $${N:+"--count=$$N"} $${MANY:+"--many=$$MANY"} $${ROUNDS:+"--rounds=$$ROUNDS"} $${PARTS:+"--parts=$$PARTS"} \
	$(if $(filter 0,$(PEERS)),--no-peers)
WITH_PEERS := $(if $(filter 0,$(PEERS)),,$(PEERS_ENV)/.ready)

bench: setup $(NODE_ENV)/.bench-ready $(WITH_PEERS) ## Orchard, the notebook pipeline, Daft, Ray Data, the bare runtime [PEERS=0] [N=3000] [MANY=10000] [ROUNDS=3] [IMAGES=dir] [WEIGHTS=file|MODEL=dir]
	@$(BENCH) $${RESULTS:+"--results=$$RESULTS"}

bench-check: setup $(NODE_ENV)/.bench-ready $(WITH_PEERS) ## Measure again, and say which ratio moved by more than 15 % [as for bench]
	@mkdir -p .orchard/benchmarks
	@$(BENCH) --results=.orchard/benchmarks/results.json
	@PYTHONPATH=spark_jobs $(NODE_ENV)/bin/python -m benchmarks.check benchmarks/results.json .orchard/benchmarks/results.json

BENCH_TABLES := PYTHONPATH=dags:spark_jobs $(NODE_ENV)/bin/python -m benchmarks.tables benchmarks/results.json

bench-photographs: setup ## Photographs of 1 to 24 megapixels, decoded exactly and scaled [N=12] [ROUNDS=3] [IMAGES=dir] [WEIGHTS=file|MODEL=dir]
	@PYTHONPATH=spark_jobs $(NODE_ENV)/bin/python -m benchmarks.photographs $${IMAGES:+"--images=$$IMAGES"} \
		$${WEIGHTS:+"--weights=$$WEIGHTS"} $${MODEL:+"--model=$$MODEL"} $${N:+"--count=$$N"} $${ROUNDS:+"--rounds=$$ROUNDS"}

bench-sizing: setup ## Hours and dollars on clusters, estimated from benchmarks/results.json
	@$(BENCH_TABLES)

bench-docs: setup ## Write the tables of docs/performance.md from benchmarks/results.json
	@$(BENCH_TABLES) docs/performance.md

##@ Check the code

lint: setup-tests ## Ruff and mypy
	$(AIRFLOW_ENV)/bin/ruff check .
	$(AIRFLOW_ENV)/bin/ruff format --check .
	MYPYPATH=dags:plugins:spark_jobs $(AIRFLOW_ENV)/bin/mypy --exclude local_airflow/sample_images.py \
		dags plugins local_airflow local_emr local_spark bootstrap benchmarks/listing.py orchard_cli deployment erasure readiness
	MYPYPATH=dags:spark_jobs:. $(NODE_ENV)/bin/mypy --exclude benchmarks/listing.py spark_jobs local_airflow/sample_images.py benchmarks

format: setup-tests ## Let ruff mend what it can
	$(AIRFLOW_ENV)/bin/ruff check --fix .
	$(AIRFLOW_ENV)/bin/ruff format .

##@ Environments, models, lakes, deployment

setup: $(AIRFLOW_ENV)/.ready $(AIRFLOW_ENV)/.orchard-ready $(NODE_ENV)/.ready class-archive package ## Make both environments; does nothing where they are up to date

# Spark starts sooner with it. Each time, because another Java takes another; nothing fails where it cannot be made.
.PHONY: class-archive
class-archive: $(NODE_ENV)/.ready
	@$(NODE_ENV)/bin/python local_spark/byte_code.py
	@PYTHONPATH=spark_jobs $(AIRFLOW_ENV)/bin/python -m local_spark.class_archive

.PHONY: setup-tests
setup-tests: setup $(AIRFLOW_ENV)/.tests-ready $(NODE_ENV)/.tests-ready $(NODE_ENV)/.bench-ready

model: setup ## Export a model artefact [WEIGHTS=file.h5|.keras, else Keras's ImageNet] MODELS=file:///… or s3://…
	@test -n "$$MODELS" || { echo "orchard: MODELS is not set. Give the URI of a folder of models." >&2; exit 2; }
	@$(ORCHARD) model "--models=$$MODELS" $${WEIGHTS:+"--weights=$$WEIGHTS"}

.PHONY: purge
purge: setup ## Delete what a lake holds of a run or an image; lists it first [LAKE=] [IMAGES=] RUN=…|IMAGE=…|ALL=1 [CONFIRM=1]
	@test -z "$$ALL" -o "$$ALL" = 1 || { echo "orchard: ALL takes 1. Give ALL=1, or nothing." >&2; exit 2; }
	@$(ORCHARD) purge $${LAKE:+"--lake=$$LAKE"} $${IMAGES:+"--images=$$IMAGES"} $${RUN:+"--run=$$RUN"} \
		$${IMAGE:+"--image=$$IMAGE"} $${ALL:+--all} $${CONFIRM:+"--confirm=$$CONFIRM"}

package: ## Collect what a cluster needs into build/
	@$(PYTHON) bootstrap/package.py $(BUILD)

.PHONY: deploy
deploy: $(AIRFLOW_ENV)/.orchard-ready ## Upload a git revision STACK=name|BUCKET=name [ENVIRONMENT=…] [SETTINGS=file] [MODEL=dir|s3://…] [REVISION=hash] [REGION=…] [DRY_RUN=1]
	@$(ORCHARD) deploy "--bucket=$$BUCKET" $${STACK:+"--stack=$$STACK"} $${ENVIRONMENT:+"--environment=$$ENVIRONMENT"} \
		$${SETTINGS:+"--settings=$$SETTINGS"} $${MODEL:+"--model=$$MODEL"} $${REVISION:+"--revision=$$REVISION"} \
		$${REGION:+"--region=$$REGION"} $$(test "$${DRY_RUN:-0}" = 0 || echo --dry-run)

##@ Dependencies

lock: $(AIRFLOW_ENV)/.ready ## Resolve the pinned requirements anew
	$(LOCK) requirements.in -o requirements.txt
	cd bootstrap && $(LOCK) requirements-tensorflow.in -o requirements-tensorflow.txt
	cd bootstrap && $(LOCK) -c requirements-tensorflow.txt requirements.in -o requirements.txt
	cd local_spark && $(LOCK) requirements-pyspark.in -o requirements-pyspark.txt
	cd local_airflow && $(LOCK) requirements-uv.in -o requirements-uv.txt
	cd benchmarks && $(LOCK) requirements-node.in -o requirements-node.txt
	cd benchmarks && $(LOCK) requirements-peers.in -o requirements-peers.txt
	cd docker && $(LOCK) requirements-postgres.in -o requirements-postgres.txt
	cd docker && $(LOCK) requirements-emr.in -o requirements-emr.txt
	cd notebooks && $(LOCK) requirements.in -o requirements.txt
	cd notebooks && $(LOCK) requirements-jupyterlab.in -o requirements-jupyterlab.txt
	cd tests && $(LOCK) requirements-airflow.in -o requirements-airflow.txt
	cd tests && $(MWAA_LOCK) requirements-mwaa.in -o requirements-mwaa.txt
	cd tests && $(LOCK) requirements-node.in -o requirements-node.txt
	cd tests && $(LOCK) requirements-tools.in -o requirements-tools.txt
LOCK_WITH := $(CURDIR)/$(UV) pip compile --quiet --universal --no-emit-index-url --generate-hashes
LOCK := $(LOCK_WITH) --python-version 3.11 --no-header
# What there was on the day after Airflow 3.3.1 was released, 2026-08-12; but the tests' own tools are as everywhere.
MWAA_LOCK := $(LOCK_WITH) --python-version 3.12 --exclude-newer 2026-08-13 \
	$(foreach tool,hypothesis moto playwright pytest,--exclude-newer-package $(tool)=false) --custom-compile-command \
	"make lock, with what there was on 2026-08-13; stands in for Airflow's constraints, see requirements-mwaa.in"

sbom: $(AIRFLOW_ENV)/.ready $(NODE_ENV)/.ready $(TOOLS_ENV)/.ready ## What is installed, as CycloneDX, in build/sbom-airflow.json and build/sbom-node.json
	@mkdir -p $(BUILD)
	@for each in airflow:$(AIRFLOW_ENV) node:$(NODE_ENV); do \
		$(TOOLS_ENV)/bin/cyclonedx-py environment --output-reproducible --of JSON -o $(BUILD)/sbom-$${each%%:*}.json $${each#*:}/bin/python; \
		echo "$(BUILD)/sbom-$${each%%:*}.json"; \
	done

audit: $(TOOLS_ENV)/.ready ## Known vulnerabilities of what runs in production; asks pypi.org
	@$(TOOLS_ENV)/bin/pip-audit --strict --require-hashes --disable-pip $(foreach file,$(AUDITED),-r $(file))
AUDITED := requirements.txt bootstrap/requirements.txt local_spark/requirements-pyspark.txt docker/requirements-postgres.txt

clean: down ## Remove the environments and what they made; never the lake
	rm -rf $(AIRFLOW_ENV) $(NODE_ENV) $(PEERS_ENV) $(NOTEBOOK_ENV) $(TOOLS_ENV) $(MWAA_ENV) $(BUILD) .orchard

preflight-%:
	@command -v $(PYTHON) >/dev/null || { printf '%s\n' "orchard: PYTHON=$(PYTHON): there is no such program." \
		"hint: Name a Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 …" >&2; exit 2; }
	@PYTHONPATH=spark_jobs $(PYTHON) local_airflow/preflight.py $*

$(AIRFLOW_ENV)/.ready: requirements.txt local_airflow/requirements-uv.txt | preflight-setup
	@echo "Set-up 1 of 2: Airflow's environment in $(AIRFLOW_ENV), about 1 GB from PyPI …"
	@$(PYTHON) -m venv $(AIRFLOW_ENV)
	@$(AIRFLOW_ENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r local_airflow/requirements-uv.txt
	@$(UV) pip install --quiet --python $(AIRFLOW_ENV)/bin/python --require-hashes -r requirements.txt
	@touch $@

# The command orchard, as it is in this checkout; what it needs is in requirements.txt.
$(AIRFLOW_ENV)/.orchard-ready: pyproject.toml $(AIRFLOW_ENV)/.ready
	@$(UV) pip install --quiet --python $(AIRFLOW_ENV)/bin/python --no-deps --editable .
	@touch $@

# Made by the script that EMR runs on every node; Spark itself is what EMR brings.
$(NODE_ENV)/.ready: bootstrap/install_node.sh bootstrap/requirements-tensorflow.txt local_spark/requirements-pyspark.txt $(AIRFLOW_ENV)/.ready
	@echo "Set-up 2 of 2: the node's environment in $(NODE_ENV), about 3 GB from PyPI: Spark, OpenVINO, TensorFlow …"
	@$(PYTHON) bootstrap/package.py $(BUILD)
	@bash $(BUILD)/install_node.sh --target "$(CURDIR)/$(NODE_ENV)" --source "file://$(CURDIR)/$(BUILD)" --with-tensorflow
	@$(UV) pip install --quiet --python $(NODE_ENV)/bin/python --require-hashes -r local_spark/requirements-pyspark.txt
	@touch $@

$(NODE_ENV)/.bench-ready: benchmarks/requirements-node.txt $(NODE_ENV)/.ready
	@$(UV) pip install --quiet --python $(NODE_ENV)/bin/python --require-hashes -r benchmarks/requirements-node.txt
	@touch $@

$(PEERS_ENV)/.ready: benchmarks/requirements-peers.txt $(AIRFLOW_ENV)/.ready
	@echo "Making the peers' environment in $(PEERS_ENV) …"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(PEERS_ENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(PEERS_ENV)/bin/python --require-hashes -r benchmarks/requirements-peers.txt
	@touch $@

$(NOTEBOOK_ENV)/.ready: notebooks/requirements.txt $(AIRFLOW_ENV)/.ready
	@echo "Making the notebook's environment in $(NOTEBOOK_ENV) …"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(NOTEBOOK_ENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(NOTEBOOK_ENV)/bin/python --require-hashes -r notebooks/requirements.txt
	@touch $@

$(TOOLS_ENV)/.ready: tests/requirements-tools.txt $(AIRFLOW_ENV)/.ready
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(TOOLS_ENV)
	@$(UV) pip install --quiet --python $(TOOLS_ENV)/bin/python --require-hashes -r tests/requirements-tools.txt
	@touch $@

$(MWAA_ENV)/.ready: tests/requirements-mwaa.txt $(AIRFLOW_ENV)/.ready
	@echo "Making an environment like managed Airflow's in $(MWAA_ENV), about 1 GB from PyPI …"
	@$(UV) venv --quiet --allow-existing --python "$$(command -v $(MWAA_PYTHON))" $(MWAA_ENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(MWAA_ENV)/bin/python --require-hashes -r tests/requirements-mwaa.txt
	@touch $@

$(NOTEBOOK_ENV)/.jupyterlab-ready: notebooks/requirements-jupyterlab.txt $(NOTEBOOK_ENV)/.ready
	@$(UV) pip install --quiet --python $(NOTEBOOK_ENV)/bin/python --require-hashes -r notebooks/requirements-jupyterlab.txt
	@touch $@

$(AIRFLOW_ENV)/.tests-ready: tests/requirements-airflow.txt $(AIRFLOW_ENV)/.ready
	@$(UV) pip install --quiet --python $(AIRFLOW_ENV)/bin/python --require-hashes -r tests/requirements-airflow.txt
	@touch $@

$(NODE_ENV)/.tests-ready: tests/requirements-node.txt $(NODE_ENV)/.ready
	@$(UV) pip install --quiet --python $(NODE_ENV)/bin/python --require-hashes -r tests/requirements-node.txt
	@touch $@

.orchard/%-jars/.ready: tests/system/%/pom.xml tests/system/%/jars.sha256
	@command -v mvn >/dev/null || { echo "orchard: no mvn on the PATH: Maven fetches jars. Install it (Debian: apt-get install maven)." >&2; exit 2; }
	@rm -rf $(@D)
	@mvn --batch-mode --quiet --strict-checksums --file tests/system/$*/pom.xml \
		dependency:copy-dependencies -DoutputDirectory="$(CURDIR)/$(@D)"
	@$(PYTHON) tests/support/jars.py $*
	@touch $@
