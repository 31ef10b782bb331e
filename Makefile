SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## make .venv with the locked, hashed dependencies
	@.ci/setup

.PHONY: lock
lock: ## write .ci/lock anew from pyproject.toml
	@.ci/lock-requirements
