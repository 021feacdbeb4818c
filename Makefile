# Every development task. `make` alone lists them; CI calls nothing else.
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
DOCS_ENV := .venv-docs
MWAA_ENV := .venv-mwaa
UV := $(AIRFLOW_ENV)/bin/uv
ORCHARD := $(AIRFLOW_ENV)/bin/orchard
BUILD := build

# Recipes read these variables from the environment and pass them on as options of the command orchard, so that a
# path may contain spaces or quotes.
export IMAGES WEIGHTS LAKE MODELS PORT EMR_PORT PYTHON OBJECTS MODEL N MANY ROUNDS PARTS RESULTS
export BUCKET STACK SETTINGS ENVIRONMENT REVISION REGION DRY_RUN RUN IMAGE ALL CONFIRM VERSION

.PHONY: help demo up down history compose-env compose-test notebook
.PHONY: test test-all test-jobs test-units test-one-run test-integration test-local-emr test-cluster test-system
.PHONY: test-faults test-pythons test-s3a test-mwaa test-mwaa-suites test-yarn s3a-jars yarn-jars
.PHONY: bench bench-listing bench-check bench-photographs bench-sizing bench-docs
.PHONY: docs docs-reference screenshots lint lint-code lint-types lint-prose format
.PHONY: setup setup-tests class-archive model purge package deploy release
.PHONY: lock sbom audit clean preflight-%

help: ## List all targets
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

history: setup ## Start Spark's history server for a lake, on loopback [LAKE=dir] [PORT=18080]
	@$(ORCHARD) history $${LAKE:+"--lake=$$LAKE"} $${PORT:+"--port=$$PORT"}

compose-env: ## Write .env for docker-compose.yaml: secrets, ports and base images
	@$(PYTHON) local_airflow/compose_env.py

compose-test: ## Test docker-compose.yaml end to end; needs Docker [IMAGES=dir] [WEIGHTS=file] [KEEP=1]
	@$(PYTHON) -m tests.system.compose

notebook: $(AIRFLOW_ENV)/.orchard-ready $(NOTEBOOK_ENV)/.jupyterlab-ready ## Start JupyterLab in notebooks/, on loopback [LAKE=dir]
	@$(ORCHARD) notebook $${LAKE:+"--lake=$$LAKE"}

# `make test` runs these two parts of longer suites: the local EMR's protocol, and the whole DAG once, with Spark.
PROTOCOL := tests/integration/local_emr/test_emr_protocol.py
ONE_RUN := tests/system/e2e/test_demo.py::test_good_and_bad_images_end_in_the_csv_and_in_the_rejects
PYTEST := -m pytest --durations=25
# Two suites run side by side, longest first. Each one's output appears when it ends.
LANES = SECONDS=0; $(MAKE) -j2 --output-sync=target
TOOK = echo "Passed: make $@ took $$((SECONDS / 60)) min $$((SECONDS % 60)) s."

##@ Test

test: setup-tests ## Unit tests, the Spark jobs and one whole DAG run; needs no Maven, Chromium or Docker
	@echo "Two suites run side by side; the output of each appears when it ends."
	@$(LANES) test-jobs test-units test-one-run; $(TOOK)

test-all: setup-tests $(NOTEBOOK_ENV)/.ready ## Every suite, as in CI
	@echo "Two suites run side by side; the output of each appears when it ends."
	@$(LANES) test-faults test-pythons test-mwaa test-jobs test-units test-one-run test-system test-integration \
		test-local-emr test-cluster; $(TOOK)

test-jobs: setup-tests ## Unit tests of the Spark jobs and the benchmarks (in .venv-node)
	$(NODE_ENV)/bin/python $(PYTEST) tests/unit

test-units: setup-tests ## All other unit tests, and the local EMR's protocol (in .venv)
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/unit $(PROTOCOL)

test-one-run: setup-tests # One run of the whole DAG on the local EMR with Spark
	$(AIRFLOW_ENV)/bin/python $(PYTEST) $(ONE_RUN)

test-integration: setup-tests docs ## Whole DAG runs with a fake Spark, Airflow's servers, browser tests
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/integration/airflow tests/integration/cli tests/integration/docs

test-local-emr: setup-tests ## The local EMR: clusters, steps, faults and Spark
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/integration/local_emr --deselect $(PROTOCOL)

test-cluster: setup-tests # The jobs on a Spark cluster of several processes, their bootstrap, and jobs after an erasure
	$(NODE_ENV)/bin/python $(PYTEST) tests/integration

test-system: setup-tests $(NOTEBOOK_ENV)/.ready ## make demo, orchard run, and S3A and YARN (skipped without `make s3a-jars yarn-jars`)
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/system --ignore tests/system/faults --deselect $(ONE_RUN)

test-faults: setup-tests ## The fault matrix; writes docs/reference/faults.md
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/system/faults --reliability docs/reference/faults.md

test-s3a: setup-tests ## The jobs and the DAG on a local S3 server through S3A; skipped without `make s3a-jars`
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/system/s3a

test-yarn: setup-tests ## The jobs on YARN, in client and in cluster mode; skipped without `make s3a-jars yarn-jars`
	$(AIRFLOW_ENV)/bin/python $(PYTEST) tests/system/yarn

# Each Python gets its own clone, because an environment has one Python. Uncommitted changes are not tested.
test-pythons: ## `make demo` with each installed Python; 4 GB and some minutes each [PYTHONS="python3.12 python3.13"]
	@for python in $(PYTHONS); do \
		"$$python" -c '' 2>/dev/null || { echo "Skipped make demo with $$python: it is not installed."; continue; }; \
		folder=$$(mktemp -d) && git clone --quiet . "$$folder/orchard" && \
		$(MAKE) --no-print-directory -C "$$folder/orchard" demo PYTHON="$$python" WEIGHTS=untrained; \
		failed=$$?; rm -rf "$$folder"; \
		[ $$failed = 0 ] || { echo "Failed with $$python."; exit 1; }; \
		echo "Passed with $$("$$python" --version)."; \
	done
PYTHONS := python3.12 python3.13

# Checks the Python first: without one, no environment is created.
test-mwaa: ## Airflow's tests with managed Airflow's versions; skipped without Python 3.12 [MWAA_PYTHON=python3.12]
	@if $(MWAA_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; \
	then $(MAKE) test-mwaa-suites; \
	else echo "Skipped make test-mwaa: $(MWAA_PYTHON) is not Python 3.12. Name one: make test-mwaa MWAA_PYTHON=…"; fi
MWAA_PYTHON := python3.12
PAGES := tests/integration/airflow/browser/test_pages_browser.py

test-mwaa-suites: $(MWAA_ENV)/.ready
	$(MWAA_ENV)/bin/python $(PYTEST) tests/unit/airflow tests/integration/airflow/dag_runs $(PAGES)

s3a-jars: .orchard/s3a-jars/.ready ## Download the jars for test-s3a from Maven Central (13 MB); needs Maven

yarn-jars: .orchard/yarn-jars/.ready ## Download the other jars for test-yarn from Maven Central (50 MB); needs Maven

##@ Measure

bench-listing: setup ## Time and memory of listing new images, without a network [OBJECTS=1000000]
	@PYTHONPATH=dags:spark_jobs AIRFLOW_HOME="$(CURDIR)/.orchard/benchmarks" AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING \
		$(AIRFLOW_ENV)/bin/python -m benchmarks.listing

BENCH := PYTHONPATH=spark_jobs $(NODE_ENV)/bin/python -m benchmarks $${IMAGES:+"--images=$$IMAGES"} $${WEIGHTS:+"--weights=$$WEIGHTS"} \
	$${MODEL:+"--model=$$MODEL"} $${N:+"--count=$$N"} $${MANY:+"--many=$$MANY"} $${ROUNDS:+"--rounds=$$ROUNDS"} $${PARTS:+"--parts=$$PARTS"} \
	$(if $(filter 0,$(PEERS)),--no-peers)
WITH_PEERS := $(if $(filter 0,$(PEERS)),,$(PEERS_ENV)/.ready)

bench: setup $(NODE_ENV)/.bench-ready $(WITH_PEERS) ## Compare Orchard, the notebook pipeline, Daft, Ray Data and the bare runtime [PEERS=0] [N=3000] [MANY=10000] [ROUNDS=3] [IMAGES=dir] [WEIGHTS=file|MODEL=dir]
	@$(BENCH) $${RESULTS:+"--results=$$RESULTS"}

bench-check: setup $(NODE_ENV)/.bench-ready $(WITH_PEERS) ## Repeat `make bench` and report ratios that moved by more than 15 % [as for bench]
	@mkdir -p .orchard/benchmarks
	@$(BENCH) --results=.orchard/benchmarks/results.json
	@PYTHONPATH=spark_jobs $(NODE_ENV)/bin/python -m benchmarks.check benchmarks/results.json .orchard/benchmarks/results.json

BENCH_TABLES := PYTHONPATH=dags:spark_jobs $(NODE_ENV)/bin/python -m benchmarks.tables benchmarks/results.json

bench-photographs: setup ## Photographs of 1 to 24 megapixels, decoded at full size and scaled [N=12] [ROUNDS=3] [IMAGES=dir] [WEIGHTS=file|MODEL=dir]
	@PYTHONPATH=spark_jobs $(NODE_ENV)/bin/python -m benchmarks.photographs $${IMAGES:+"--images=$$IMAGES"} \
		$${WEIGHTS:+"--weights=$$WEIGHTS"} $${MODEL:+"--model=$$MODEL"} $${N:+"--count=$$N"} $${ROUNDS:+"--rounds=$$ROUNDS"}

bench-sizing: setup ## Estimate hours and dollars on clusters from benchmarks/results.json
	@$(BENCH_TABLES)

bench-docs: setup ## Write the tables of docs/explanation/performance.md from benchmarks/results.json
	@$(BENCH_TABLES) docs/explanation/performance.md

##@ Documentation

docs: $(DOCS_ENV)/.ready ## Build the documentation site in build/site; broken links and anchors fail
	@NO_MKDOCS_2_WARNING=1 $(DOCS_ENV)/bin/mkdocs build
	@echo "$(CURDIR)/$(BUILD)/site/index.html"

docs-reference: setup-tests ## Write the generated parts of docs/reference from the code
	@PYTHONPATH=dags:plugins:spark_jobs AIRFLOW_HOME="$(CURDIR)/.orchard/docs" $(AIRFLOW_ENV)/bin/python -m docs.generate

screenshots: setup-tests ## Take the pictures in docs/images from real runs, in Chromium [IMAGES=dir] [WEIGHTS=file]
	@PYTHONPATH=. $(AIRFLOW_ENV)/bin/python docs/generate/screenshots.py

##@ Check the code

lint: lint-code lint-types lint-prose ## Ruff, mypy, codespell, proselint and our own list of phrases

lint-code: setup-tests
	$(AIRFLOW_ENV)/bin/ruff check .
	$(AIRFLOW_ENV)/bin/ruff format --check .

lint-types: setup-tests
	MYPYPATH=dags:plugins:spark_jobs $(AIRFLOW_ENV)/bin/mypy --exclude local_airflow/sample_images.py \
		dags plugins local_airflow local_emr local_spark bootstrap benchmarks/listing.py orchard_cli deployment erasure readiness canary docs/generate
	MYPYPATH=dags:spark_jobs:. $(NODE_ENV)/bin/mypy --exclude benchmarks/listing.py spark_jobs local_airflow/sample_images.py benchmarks

# Spelling everywhere (see [tool.codespell] in pyproject.toml), style in Markdown, phrases in all text that people read.
lint-prose: $(TOOLS_ENV)/.ready
	$(TOOLS_ENV)/bin/codespell
	$(TOOLS_ENV)/bin/proselint check --config tests/prose/proselint.json $(call tracked,'*.md')
	@$(TOOLS_ENV)/bin/python tests/prose/check_phrases.py $(call tracked,$(PROSE))
tracked = $$(git ls-files $(1))
PROSE := '*.md' '*.py' '*.ipynb' '*.sh' '*.in' '*.yaml' '*.yml' '*.toml' Makefile 'docker/*'

format: setup-tests ## Let ruff fix what it can
	$(AIRFLOW_ENV)/bin/ruff check --fix .
	$(AIRFLOW_ENV)/bin/ruff format .

##@ Environments, models, lakes, deployment

setup: $(AIRFLOW_ENV)/.ready $(AIRFLOW_ENV)/.orchard-ready $(NODE_ENV)/.ready class-archive package ## Create both environments, unless they are up to date

# Makes Spark start faster. Checked each time, because each Java needs its own archive; failing to make one is no error.
class-archive: $(NODE_ENV)/.ready
	@$(NODE_ENV)/bin/python local_spark/byte_code.py
	@PYTHONPATH=spark_jobs $(AIRFLOW_ENV)/bin/python -m local_spark.class_archive

setup-tests: setup $(AIRFLOW_ENV)/.tests-ready $(NODE_ENV)/.tests-ready $(NODE_ENV)/.bench-ready

model: setup ## Export a model artefact MODELS=file:///…|s3://… [WEIGHTS=file.h5|.keras; default: Keras's ImageNet weights]
	@test -n "$$MODELS" || { echo "orchard: MODELS is not set. Set it to the URI of a folder for models." >&2; exit 2; }
	@$(ORCHARD) model "--models=$$MODELS" $${WEIGHTS:+"--weights=$$WEIGHTS"}

purge: setup ## Delete a run or an image from a lake; lists the files first RUN=…|IMAGE=…|ALL=1 [LAKE=] [IMAGES=] [CONFIRM=1]
	@test -z "$$ALL" -o "$$ALL" = 1 || { echo "orchard: ALL must be 1. Set ALL=1, or leave it out." >&2; exit 2; }
	@$(ORCHARD) purge $${LAKE:+"--lake=$$LAKE"} $${IMAGES:+"--images=$$IMAGES"} $${RUN:+"--run=$$RUN"} \
		$${IMAGE:+"--image=$$IMAGE"} $${ALL:+--all} $${CONFIRM:+"--confirm=$$CONFIRM"}

package: ## Collect the files that a cluster needs in build/
	@$(PYTHON) bootstrap/package.py $(BUILD)

deploy: $(AIRFLOW_ENV)/.orchard-ready ## Upload a git revision STACK=name|BUCKET=name [ENVIRONMENT=…] [SETTINGS=file] [MODEL=dir|s3://…] [REVISION=hash] [REGION=…] [DRY_RUN=1]
	@$(ORCHARD) deploy "--bucket=$$BUCKET" $${STACK:+"--stack=$$STACK"} $${ENVIRONMENT:+"--environment=$$ENVIRONMENT"} \
		$${SETTINGS:+"--settings=$$SETTINGS"} $${MODEL:+"--model=$$MODEL"} $${REVISION:+"--revision=$$REVISION"} \
		$${REGION:+"--region=$$REGION"} $$(test "$${DRY_RUN:-0}" = 0 || echo --dry-run)

release: ## Tag a release and build its artefacts in build/release/; pushes nothing VERSION=x.y.z
	@test -n "$$VERSION" || { echo "orchard: VERSION is not set. Set it to the version in pyproject.toml." >&2; exit 2; }
	@PYTHONPATH=spark_jobs $(PYTHON) -m deployment.release "$$VERSION"

##@ Dependencies

lock: $(AIRFLOW_ENV)/.ready ## Resolve and pin all requirements again
	$(LOCK) requirements.in -o requirements.txt
	cd bootstrap && $(LOCK) requirements-tensorflow.in -o requirements-tensorflow.txt
	cd bootstrap && $(LOCK) -c requirements-tensorflow.txt requirements.in -o requirements.txt
	cd local_spark && $(LOCK) requirements-pyspark.in -o requirements-pyspark.txt
	cd local_airflow && $(LOCK) requirements-uv.in -o requirements-uv.txt
	cd benchmarks && $(LOCK) requirements-node.in -o requirements-node.txt
	cd benchmarks && $(LOCK) requirements-peers.in -o requirements-peers.txt
	cd docs && $(LOCK) requirements.in -o requirements.txt
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
# Packages as of the day after Airflow 3.3.1 was released (2026-08-12). The tests' own tools are the same everywhere.
MWAA_LOCK := $(LOCK_WITH) --python-version 3.12 --exclude-newer 2026-08-13 \
	$(foreach tool,hypothesis moto playwright pytest,--exclude-newer-package $(tool)=false) --custom-compile-command \
	"make lock, with packages as of 2026-08-13 in place of Airflow's constraints; see requirements-mwaa.in"

sbom: $(AIRFLOW_ENV)/.ready $(NODE_ENV)/.ready $(TOOLS_ENV)/.ready ## List installed packages as CycloneDX in build/sbom-airflow.json and build/sbom-node.json
	@mkdir -p $(BUILD)
	@for each in airflow:$(AIRFLOW_ENV) node:$(NODE_ENV); do \
		$(TOOLS_ENV)/bin/cyclonedx-py environment --output-reproducible --of JSON -o $(BUILD)/sbom-$${each%%:*}.json $${each#*:}/bin/python; \
		echo "$(BUILD)/sbom-$${each%%:*}.json"; \
	done

audit: $(TOOLS_ENV)/.ready ## Look up known vulnerabilities of production packages on pypi.org
	@$(TOOLS_ENV)/bin/pip-audit --strict --require-hashes --disable-pip $(foreach file,$(AUDITED),-r $(file))
AUDITED := requirements.txt bootstrap/requirements.txt local_spark/requirements-pyspark.txt docker/requirements-postgres.txt

clean: down ## Remove the environments and build products; never the lake
	rm -rf $(AIRFLOW_ENV) $(NODE_ENV) $(PEERS_ENV) $(NOTEBOOK_ENV) $(TOOLS_ENV) $(DOCS_ENV) $(MWAA_ENV) $(BUILD) .orchard

preflight-%:
	@command -v $(PYTHON) >/dev/null || { printf '%s\n' "orchard: PYTHON=$(PYTHON): no such program." \
		"hint: Name a Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 …" >&2; exit 2; }
	@PYTHONPATH=spark_jobs $(PYTHON) local_airflow/preflight.py $*

$(AIRFLOW_ENV)/.ready: requirements.txt local_airflow/requirements-uv.txt | preflight-setup
	@echo "Set-up 1 of 2: Airflow's environment in $(AIRFLOW_ENV), about 1 GB from PyPI …"
	@$(PYTHON) -m venv $(AIRFLOW_ENV)
	@$(AIRFLOW_ENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r local_airflow/requirements-uv.txt
	@$(UV) pip install --quiet --python $(AIRFLOW_ENV)/bin/python --require-hashes -r requirements.txt
	@touch $@

# The command orchard, run from this checkout. Its dependencies are in requirements.txt.
$(AIRFLOW_ENV)/.orchard-ready: pyproject.toml $(AIRFLOW_ENV)/.ready
	@$(UV) pip install --quiet --python $(AIRFLOW_ENV)/bin/python --no-deps --editable .
	@touch $@

# Created by the script that EMR runs on every node. EMR brings Spark; here it comes from PyPI.
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
	@echo "Creating the peers' environment in $(PEERS_ENV) …"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(PEERS_ENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(PEERS_ENV)/bin/python --require-hashes -r benchmarks/requirements-peers.txt
	@touch $@

$(NOTEBOOK_ENV)/.ready: notebooks/requirements.txt $(AIRFLOW_ENV)/.ready
	@echo "Creating the notebook's environment in $(NOTEBOOK_ENV) …"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(NOTEBOOK_ENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(NOTEBOOK_ENV)/bin/python --require-hashes -r notebooks/requirements.txt
	@touch $@

$(TOOLS_ENV)/.ready: tests/requirements-tools.txt $(AIRFLOW_ENV)/.ready
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(TOOLS_ENV)
	@$(UV) pip install --quiet --python $(TOOLS_ENV)/bin/python --require-hashes -r tests/requirements-tools.txt
	@touch $@

# pip alone: a machine that only builds the site needs no Airflow.
$(DOCS_ENV)/.ready: docs/requirements.txt
	@$(PYTHON) -m venv $(DOCS_ENV)
	@$(DOCS_ENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs/requirements.txt
	@touch $@

$(MWAA_ENV)/.ready: tests/requirements-mwaa.txt $(AIRFLOW_ENV)/.ready
	@echo "Creating an environment like managed Airflow's in $(MWAA_ENV), about 1 GB from PyPI …"
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
	@command -v mvn >/dev/null || { echo "orchard: mvn is not on the PATH. Install Maven, which downloads the jars (Debian: apt-get install maven)." >&2; exit 2; }
	@rm -rf $(@D)
	@mvn --batch-mode --quiet --strict-checksums --file tests/system/$*/pom.xml \
		dependency:copy-dependencies -DoutputDirectory="$(CURDIR)/$(@D)"
	@$(PYTHON) tests/support/jars.py $*
	@touch $@
