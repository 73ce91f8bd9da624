# Where the environment goes; another one: make test VENV=/elsewhere
VENV := .venv
# What follows the job's name: make demo ARGS="--articles 500"
ARGS :=
# Of BMRetriever: 410m, 1b, 2b or 7b
SIZE := 410m

# Without byte code every process, each Ray worker too, compiles its imports again: 17 s instead of 6 (measured).
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo verify-medcpt verify-bmretriever test fix constraints

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install:  ## make or refresh the environment; nothing to do is quick
	@infra/install.sh $(VENV)

demo: install  ## from PubMed XML to ranked hits, on this machine's CPU
	@$(VENV)/bin/pubray demo $(ARGS)

verify-medcpt: install  ## MedCPT's weights beside its authors' values, then 1,000 real articles
	@$(VENV)/bin/pubray --config infra/config/medcpt.toml verify $(ARGS)

verify-bmretriever: install  ## the same for BMRetriever, SIZE=410m (default), 1b, 2b or 7b
	@$(VENV)/bin/pubray --config infra/config/bmretriever-$(SIZE).toml verify $(ARGS)

test: install  ## lint, format, types, import rules, tests
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	@infra/install_test_programs.sh
	# A process for each core, a file's tests in one of them, and first tests/e2e, whose files take longest
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder tests/e2e tests/unit
	$(VENV)/bin/pytest tests/cluster tests/gpu  # on one Ray cluster

fix: install  ## let ruff put lint and format right
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

constraints:  ## resolve anew: the newest versions that pyproject.toml allows
	: > constraints.txt
	infra/install.sh $(VENV)
	echo '# The exact versions that CI runs with, on Python 3.11 and CPU; made by: make constraints' > constraints.txt
	$(VENV)/bin/pip freeze --all --exclude-editable --exclude uv | sed 's/+cpu$$//' >> constraints.txt
