# Everything runs in a virtual environment of its own, from locked versions. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m

.PHONY: help demo test check crash seeds image bench bench-full docs format lock clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/.core  ## a practice API, a sync into SQLite, faults on the way (no account, no network)
	@$(BIN)/syncline demo

test: .venv/.dev  ## all tests, in four processes: much of what they do is waiting for others
	$(RUN) pytest -n 4 --dist=worksteal

check: .venv/.dev  ## format, lint, types, walls
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

crash: .venv/.dev  ## kill runs 500 times and compare: SEED=1 KILLS=500, ONLY=sqlite/upsert/3 for one life
	@$(RUN) tests.crash --seed $(SEED) --kills $(KILLS) --each $(EACH) --only "$(ONLY)"

seeds: .venv/.dev  ## rehearse ten thousand shapes with faults and kills: COUNT=10000, FIRST=1
	@$(RUN) tests.rehearsal.seeds --first $(FIRST) --count $(COUNT)

FIRST ?= 1
COUNT ?= 10000
SEED ?= 1
KILLS ?= 500
EACH ?= 9
ONLY ?=

soak: .venv/.dev  ## serve 200 integrations for 30 minutes, faults on the way: MINUTES=30 INTEGRATIONS=200
	@$(RUN) tests.soak --minutes $(MINUTES) --integrations $(INTEGRATIONS)

MINUTES ?= 30
INTEGRATIONS ?= 200

image: .venv/.dev  ## build the image by buildah, and try it in a sandbox (root; Debian's buildah, debootstrap, bubblewrap)
	@SYNCLINE_IMAGE=buildah $(RUN) pytest tests/deploy/test_image.py

bench: .venv/.dev  ## Syncline beside its limit and its peers, the short form
	$(BIN)/python benchmarks/run.py --quick

bench-full: .venv/.dev  ## all of it, with latency, many and memory; writes docs/benchmarks.md
	$(BIN)/python benchmarks/run.py

docs: .venv/.dev  ## write the reference pages out of the code
	$(BIN)/python docs/reference/build.py

format: .venv/.dev  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/.dev  ## compile the locked versions anew
	$(BIN)/uv pip compile pyproject.toml --group build $(LOCK) -o requirements/core.lock
	$(BIN)/uv pip compile pyproject.toml --group build --group dev --all-extras $(LOCK) -o requirements/dev.lock
	$(BIN)/uv pip compile --group deploy --no-deps $(LOCK) -o requirements/deploy.lock
	$(BIN)/uv pip compile pyproject.toml --group airflow $(LOCK) -o requirements/airflow.lock
	$(BIN)/uv pip compile pyproject.toml --group dagster $(LOCK) -o requirements/dagster.lock

LOCK := --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-annotate --no-header

.venv/.core: requirements/core.lock pyproject.toml
	@echo "setting up .venv (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements/core.lock
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(RUN) compileall -q src  # as pip does for what it installs; some environments forbid it later
	@touch $@

.venv/.dev: requirements/dev.lock .venv/.core
	@echo "setting up what tests and checks need (once)"
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

clean:  ## remove what was set up
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis demo
