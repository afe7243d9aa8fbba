# Needs only python3.11, git and make; everything else is put into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test thorough bench mutation lint format unit up down constraints clean

help: ## Show these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## Make .venv with Airloom, Airflow and the tools, at the versions of constraints.txt

$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode \
		--constraint constraints.txt --editable '.[test]'
	@touch $@

demo: venv ## Run the example pipeline three times on an embedded Airflow: first, unchanged, one script edited
	$(BIN)/python -m examples.automobile.run_demo

test: lint unit ## Check style, types and import rules, then run all tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope -m integration

thorough: venv ## Run the tests of crashes, races and corruption at full scale (takes an hour)
	$(BIN)/python -m pytest --thorough -m thorough --timeout 3600

bench: venv ## Measure everything beside its peers, on an idle machine (takes half an hour)
	$(BIN)/python -m benchmarks

mutation: venv ## Change the code of keys, reuse and storage in 4,600 ways; which changes does no test see? (an hour or more)
	test -d .cache/mutation/bin || $(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .cache/mutation
	$(BIN)/uv pip install --quiet --python .cache/mutation/bin/python --constraint constraints.txt -r setup.cfg --extra mutation --extra azure
	$(BIN)/python -m tests.mutation

lint: venv ## Check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: venv ## Format the code and sort its imports
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

unit: venv ## Run only the tests that start no server
	$(BIN)/python -m pytest --numprocesses auto -m 'not integration'

up: venv ## Start the embedded server
	$(BIN)/airloom up --detach

down: ## Stop the embedded server
	$(BIN)/airloom down

constraints: venv ## Resolve constraints.txt again
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra test --extra mutation \
		--no-header --no-annotate --no-emit-index-url --output-file constraints.txt setup.cfg

clean: ## Remove everything that make has made
	rm -rf .venv .cache .hypothesis build dist airloom.egg-info
