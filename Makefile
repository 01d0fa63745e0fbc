# Every command sets up .venv by itself, once, and again when the lock changes.
# PYTHON=python3.12 chooses the interpreter; PIP_* and UV_* settings are respected.

BIN := .venv/bin
READY := .venv/.ready
RESOLVE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(RESOLVE_FLAGS)

.DEFAULT_GOAL := help
.PHONY: help setup demo talk test lint types docs bench soak lock clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## the environment alone, in .venv

demo: $(READY)  ## a caller talks with an agent; no key needed
	$(BIN)/python pipelines/native.py --demo

talk: $(READY)  ## talk with the agent in your browser; no key needed
	$(BIN)/crossfade serve --open

test: $(READY)  ## the tests: no services, no root, no network
	scripts/tests $(BIN)/pytest $(PYTEST_FLAGS)

lint: $(READY)  ## style, format, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(READY)  ## mypy, strict, on code and tests
	$(BIN)/mypy

docs: .venv/.docs  ## these documents as pages, in site/; what is wrong in them ends it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(READY)  ## everything beside its peers, under ten minutes; dated JSON in benchmarks/results
	$(BIN)/crossfade bench hop --results benchmarks/results
	$(BIN)/crossfade bench wire --rounds 7 --results benchmarks/results
	$(BIN)/crossfade bench vad --results benchmarks/results
	$(BIN)/crossfade bench resample --results benchmarks/results
	$(BIN)/crossfade bench bargein --provider emulator --runs 3 --results benchmarks/results
	$(BIN)/crossfade bench imports --runs 5 --results benchmarks/results
	$(BIN)/crossfade bench tools --results benchmarks/results
	$(BIN)/crossfade bench store --results benchmarks/results
	$(BIN)/crossfade bench calls --results benchmarks/results

soak: $(READY)  ## the same, a hundred calls; every fault in every state; broken messages by the million
	$(MAKE) test PYTEST_FLAGS="--hypothesis-profile=thorough --timeout=0"
	CROSSFADE_SNIPPETS=all $(BIN)/pytest -q --timeout=1800 tests/snippets
	$(BIN)/crossfade bench bargein --provider emulator --runs 100 --seconds 0 --results benchmarks/results
	$(BIN)/crossfade bench continuity --results benchmarks/results
	$(BIN)/crossfade bench continuity --hours 2 --results benchmarks/results
	$(BIN)/python -m tests.providers.continuity.soak --calls 200
	$(BIN)/crossfade bench swaps --results benchmarks/results
	$(BIN)/crossfade bench arms --results benchmarks/results
	$(BIN)/crossfade bench drain --results benchmarks/results
	$(BIN)/crossfade bench serve --calls 100 --minutes 10 --results benchmarks/results
	$(BIN)/crossfade bench serve --calls 400 --minutes 1 --busy-at 0.85 --results benchmarks/results
	$(BIN)/python -m tests.fuzz --wire openai --wire gemini --wire moshi \
		--messages 5000000 --results benchmarks/results
	$(BIN)/python -m tests.fuzz.everything --seconds 1800 --results benchmarks/results
	$(BIN)/python -m tests.fuzz.guided --wire openai --seconds 600
	$(BIN)/python -m tests.fuzz.guided --wire gemini --seconds 600
	$(BIN)/python -m tests.fuzz.guided --wire moshi --seconds 600

lock:  ## resolve the requirements anew (needs uv; RESOLVE_FLAGS=--upgrade for newer versions)
	$(RESOLVE) pyproject.toml --all-extras --group dev \
		--no-emit-package pocketsphinx -o requirements.txt
	$(RESOLVE) pyproject.toml --extra gemini --extra mcp --extra moshi --extra postgres \
		--extra prometheus --extra webrtc --group image --constraint requirements.txt \
		-o requirements-serve.txt
	$(RESOLVE) --group recogniser --constraint requirements.txt -o requirements-offline.txt
	$(RESOLVE) --group docs --constraint requirements.txt -o requirements-docs.txt

clean:  ## remove the environment and what tools leave behind
	rm -rf .venv build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.locked: requirements.txt requirements-offline.txt scripts/environment
	scripts/environment create .venv
	scripts/environment recogniser .venv
	@touch $@

.venv/.docs: .venv/.locked requirements-docs.txt
	scripts/environment documents .venv
	@touch $@

$(READY): .venv/.locked pyproject.toml setup.py
	scripts/environment install .venv --editable .
	@touch $@
