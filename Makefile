# Where the environment goes; another one: make test VENV=/elsewhere
VENV := .venv
# What follows the job's name: make demo ARGS="--articles 500"
ARGS :=
# Of BMRetriever: 410m, 1b, 2b or 7b
SIZE := 410m
# Of pytest, and of programs that tests drive: what test-all adds
WHOLE :=
PROGRAMS :=

# Without byte code every process, each Ray worker too, compiles its imports again: 17 s instead of 6 (measured).
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install clients demo train-demo verify-medcpt verify-bmretriever test test-all types test-programs test-what-waits \
    test-what-computes campaign faults gpu-check fix constraints

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install:  ## make or refresh the environment; nothing to do is quick
	@infra/install.sh $(VENV)

demo: install  ## from PubMed XML to ranked hits, on this machine's CPU
	@$(VENV)/bin/pubray demo $(ARGS)

train-demo: install  ## from PubMed's own records to a better encoder, on this machine's CPU
	@$(VENV)/bin/pubray --config infra/config/train-demo.toml train-demo $(ARGS)

verify-medcpt: install  ## MedCPT's weights beside its authors' values, then 1,000 real articles
	@$(VENV)/bin/pubray --config infra/config/medcpt.toml verify $(ARGS)

verify-bmretriever: install  ## the same for BMRetriever, SIZE=410m (default), 1b, 2b or 7b
	@$(VENV)/bin/pubray --config infra/config/bmretriever-$(SIZE).toml verify $(ARGS)

# What is named together runs together: if one fails the other is still ended, and Ctrl-C ends both.
test: install  ## lint, format, types, import rules, tests; see docs/tests.md
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	@$(MAKE) --no-print-directory --jobs=2 test-what-waits test-what-computes

test-all: clients  ## the same, with all that takes minutes
	@$(MAKE) --no-print-directory test WHOLE='--whole --timeout=1800' PROGRAMS='ceph sshd rsync buildah mmdebstrap'

clients: install
	@infra/install_clients.sh $(VENV)

# On a machine that is very busy mypy's workers may not come up in time (exit 2): then it checks by itself.
types:
	nice -n 19 $(VENV)/bin/mypy --num-workers=auto || { [ $$? -eq 2 ] && nice -n 19 $(VENV)/bin/mypy; }
	$(VENV)/bin/lint-imports --no-logo

test-programs:
	@infra/install_programs.sh chromium prometheus $(PROGRAMS)

# On one Ray cluster. What it starts waits for one another, and leaves a good part of the cores to what computes,
# whose output comes at its end. Prometheus, which its last tests ask, is installed by then.
test-what-waits:
	$(VENV)/bin/pytest $(WHOLE) tests/cluster tests/gpu

# A process for each core, a file's tests in one of them, and first tests/e2e, whose files take longest.
test-what-computes: test-programs types
	@output=$$(OMP_NUM_THREADS=1 nice -n 19 $(VENV)/bin/pytest $(WHOLE) --numprocesses=auto --dist=loadfile \
	    --no-loadscope-reorder tests/e2e tests/unit 2>&1); code=$$?; echo "$$output"; exit $$code

campaign: install  ## random nights, kills and races against a plain model: ARGS="--minutes 60 --seed 7"
	@$(VENV)/bin/python -m tests.campaign $(ARGS)

faults: install  ## nights that a fault meets: ARGS="--runs 60 --seed 7"
	@$(VENV)/bin/python -m tests.faults $(ARGS)

gpu-check: install  ## whether a GPU is right, and how fast, on a machine that has one
	$(VENV)/bin/python -m benchmarks.gpu $(ARGS)
	$(VENV)/bin/pytest tests/gpu

fix: install  ## let ruff put lint and format right
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

constraints:  ## resolve anew: the newest versions that pyproject.toml allows
	: > constraints.txt
	infra/install.sh $(VENV)
	echo '# The exact versions that CI runs with, on Python 3.11 and CPU; made by: make constraints' > constraints.txt
	$(VENV)/bin/pip freeze --all --exclude-editable --exclude uv | sed 's/+cpu$$//' >> constraints.txt
	: > constraints-clients.txt
	infra/install_clients.sh $(VENV)
	echo '# The exact versions of the client libraries, in an environment of their own; made by: make constraints' > constraints-clients.txt
	$(VENV)/bin/pip --python $(VENV)-clients/bin/python freeze >> constraints-clients.txt
