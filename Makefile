# Everything here works on a fresh Debian machine: what is missing is installed when root, and named when not.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL: # the order of prerequisites counts

PYTHON ?=
NAME ?= netaudit
ENGINE ?= cilium
NODES ?= 2
WORKERS ?= 2
BENCH ?=

py := .venv/bin/python
code := auditor probes reports
slow := properties or sandbox or cluster or browser

.PHONY: help
help: ## list the targets
	@echo 'netaudit: targets of make'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Every change.

.PHONY: setup
setup: ## make .venv with the locked, hashed dependencies
	@PYTHON='$(PYTHON)' .ci/setup

.PHONY: check
check: lint types contracts budgets unit ## lint, types, import contracts, size budgets, unit tests (2 minutes)

.PHONY: lint
lint: setup ## ruff: format and rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

.PHONY: types
types: setup ## mypy --strict
	.venv/bin/mypy $(code) tests

.PHONY: contracts
contracts: setup ## who may import whom
	.venv/bin/lint-imports --no-logo --cache-dir .cache/import-linter

.PHONY: budgets
budgets: setup ## sizes of files and functions, tests to code
	$(py) -m tests.house.budgets

.PHONY: unit
unit: setup ## unit tests and tests of the house rules
	.venv/bin/pytest -q -n $(WORKERS) tests/unit tests/house

.PHONY: format
format: setup ## let ruff rewrite what it can
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

# The whole.

.PHONY: test
test: test-needs check test-artifacts ## check, then properties, sandbox, cluster and browser tests (cold 45, warm 15 minutes)
	@.ci/slow-tests '($(slow)) and not long' ci

.PHONY: test-long
test-long: test-needs check test-artifacts ## the same at full count: every fault, kill, soak and property
	@.ci/slow-tests '$(slow) or long' long

.PHONY: test-needs
test-needs: setup
	@.ci/root 'run the sandbox and cluster tests'
	@.ci/packages sandbox browser
	@$(py) -m tests.cluster.artifacts install-packages

.PHONY: test-artifacts
test-artifacts: test-needs
	$(py) -m tests.cluster.artifacts build

# A cluster to look at.

.PHONY: cluster
cluster: cluster-needs ## start a test cluster: NAME=netaudit ENGINE=cilium|none NODES=2
	@config=$$($(py) -m tests.cluster up $(NAME) --engine $(ENGINE) --nodes $(NODES)) && echo "export KUBECONFIG=$$config"

.PHONY: cluster-down
cluster-down: setup ## take the test cluster NAME down
	@$(py) -m tests.cluster down $(NAME)

.PHONY: demo
demo: ## the guides' examples on clusters that do and do not enforce them, in a sandbox: netaudit-demo/index.html
	@PYTHON='$(PYTHON)' .ci/demo

.PHONY: demo-cluster
demo-cluster: cluster-packages ## the same examples on a real cluster of two nodes: ENGINE=none|cilium
	@$(py) -m tests.demo --engine $(if $(filter command line,$(origin ENGINE)),$(ENGINE),none)

.PHONY: cluster-needs
cluster-needs: cluster-packages
	@$(py) -m tests.cluster.artifacts build

.PHONY: cluster-packages
cluster-packages: setup
	@.ci/root 'start a cluster'
	@$(py) -m tests.cluster.artifacts install-packages

# Now and then.

.PHONY: bench
bench: setup ## speed and size figures, BENCH=one or more of them; never fails on time
	@$(py) -m tests.bench $(BENCH)

.PHONY: audit
audit: setup ## known vulnerabilities of the locked dependencies
	.venv/bin/pip-audit --require-hashes --disable-pip -r .ci/lock/dev.txt

.PHONY: lock
lock: ## write .ci/lock anew from pyproject.toml
	@.ci/lock-requirements

.PHONY: clean
clean: ## remove .venv and caches (not the artifacts of clusters)
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
