# `make demo` and `make test` need Python 3.11 or newer and make; the rest is installed into .venv.

PYTHON ?= python3
PYTHONS ?= python3.11 python3.12 python3.13
VENV := .venv
BIN := $(VENV)/bin
CODEGEN := .venv-codegen
DOCS := .venv-docs
PIP := -m pip install --quiet --disable-pip-version-check
EXAMPLE := examples/classroom/v1/classroom.proto
CONFORMANCE := conformance/v1/conformance.proto
BUFPLUGIN := $(sort $(wildcard errgrpc/cli/bufplugin/*.proto))
WEB := examples/classroom/web
PAGE := tests/cli/page
PARALLEL := -n 2 --dist worksteal
PROTOS := $(sort $(wildcard protos/errgrpc/v1/*.proto))
# Without kept bytecode, each process would compile the package again, and pytest all tests:
# `make test` with Python 3.11 took 120 s instead of 115 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo serve gateway demo-web test-gateway test-web picture
.PHONY: test-page picture-page vectors interop
.PHONY: test test-full check test-lowest test-all coverage mutants generate breaking release docs reliability bench clean

demo: $(VENV)/demo.stamp  ## the classroom, with its errors on both sides
	$(BIN)/python -m examples.classroom demo

serve: $(VENV)/demo.stamp  ## the classroom, until Ctrl-C, with reflection and health
	$(BIN)/python -m examples.classroom serve

gateway: $(VENV)/gateway.stamp  ## the classroom for curl and browsers, through Envoy, until Ctrl-C
	$(BIN)/python -m examples.classroom.gateway

demo-web: $(VENV)/gateway.stamp $(WEB)/node_modules/stamp  ## the same with a page, whose address it prints
	$(BIN)/python -m examples.classroom.gateway -- npm --prefix $(WEB) run --silent dev

test-gateway: $(VENV)/gateway.stamp $(VENV)/test.stamp  ## what is skipped in `make test` without Envoy
	REQUIRE_ENVOY=1 $(BIN)/python -m pytest --full tests/examples/test_gateway.py

test-web: $(VENV)/gateway.stamp $(WEB)/node_modules/stamp  ## the page in a browser; needs chromium
	$(BIN)/python -m examples.classroom.gateway -- npm --prefix $(WEB) run --silent test

picture: $(VENV)/gateway.stamp $(WEB)/node_modules/stamp  ## docs/classroom.png; needs a Chinese font, too
	$(BIN)/python -m examples.classroom.gateway -- npm --prefix $(WEB) run --silent picture

test-page: $(VENV)/test.stamp $(PAGE)/node_modules/stamp  ## the page of `errgrpc docs` in a browser; needs chromium
	PYTHONPATH=tests $(BIN)/python -m cli.page_tables build/page
	npm --prefix $(PAGE) run --silent test

picture-page: $(VENV)/test.stamp $(PAGE)/node_modules/stamp  ## docs/error-reference.png; needs a Chinese font, too
	PYTHONPATH=tests $(BIN)/python -m cli.page_tables build/page
	npm --prefix $(PAGE) run --silent picture

vectors: $(VENV)/test.stamp  ## what errgrpc puts on the wire, as golden cases
	$(BIN)/python -m conformance.vectors

interop: $(VENV)/test.stamp $(VENV)/gateway.stamp  ## other languages' programs against them, those whose tools are here; PEERS="go python" runs only these
	$(BIN)/python -m conformance $(PEERS)
	$(BIN)/python -m conformance.attempts $(PEERS)

test: $(VENV)/test.stamp  ## every room and every kind of call, in less than two minutes
	$(BIN)/python -m pytest $(PARALLEL) $(TESTS)

test-full: $(VENV)/test.stamp  ## what takes long, too, and every case of the large products
	$(BIN)/python -m pytest --full $(PARALLEL)

check: $(VENV)/check.stamp $(CODEGEN)/stamp  ## all that is not a test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy errgrpc pytest_errgrpc.py examples conformance website
	$(BIN)/mypy --config-file tests/mypy.ini tests bench reliability
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory generate OUT=build/generated
	cd build/generated && for file in $$(find . -type f); do \
	  cmp $$file ../../$$file || { echo "$$file is stale: run make generate"; exit 1; }; done
	$(BIN)/buf lint
	$(BIN)/python -m errgrpc lint protos examples/classroom
	$(MAKE) --no-print-directory breaking

breaking: $(VENV)/check.stamp  ## what changed since the last release: names and numbers by buf, options by ours
	mkdir -p build
	$(BIN)/buf build --path protos/errgrpc --as-file-descriptor-set -o build/now.binpb
	$(BIN)/buf breaking protos --against protos/released.binpb
	$(BIN)/python -m errgrpc diff protos/released.binpb build/now.binpb

release: $(VENV)/check.stamp  ## make today's protos the ones that later changes are compared with
	$(BIN)/buf build --path protos/errgrpc --as-file-descriptor-set --exclude-source-info -o protos/released.binpb

docs: $(DOCS)/stamp  ## the documentation site, in build/site, with all its links checked
	$(DOCS)/bin/python -m website

# Everything that is generated, into OUT.
OUT ?= .
generate: $(CODEGEN)/stamp
	mkdir -p $(OUT)
	# Twice: the plugin reads its options through the Python code of annotations.proto, which the first pass makes.
	$(CODEGEN)/bin/python -m grpc_tools.protoc -I protos -I $(CODEGEN)/site-packages --python_out=$(OUT) --pyi_out=$(OUT) $(PROTOS)
	$(CODEGEN)/bin/python -m grpc_tools.protoc -I protos -I $(CODEGEN)/site-packages \
	  --plugin=$(CODEGEN)/bin/protoc-gen-errgrpc --errgrpc_out=$(OUT) $(PROTOS)
	PATH=$(CURDIR)/$(CODEGEN)/bin:$$PATH $(CODEGEN)/bin/python -m grpc_tools.protoc -I . -I protos -I $(CODEGEN)/site-packages \
	  --python_out=$(OUT) --grpc_python_out=$(OUT) --mypy_out=$(OUT) --mypy_grpc_out=$(OUT) --errgrpc_out=$(OUT) $(EXAMPLE)
	$(CODEGEN)/bin/python -m grpc_tools.protoc -I . -I $(CODEGEN)/site-packages --python_out=$(OUT) --pyi_out=$(OUT) $(CONFORMANCE) $(BUFPLUGIN)

test-lowest: ## the tests with the lower bounds of pyproject.toml
	$(MAKE) --no-print-directory test-full VENV=.venv-lowest VERSIONS=lowest PYTHON=python3.11

test-all: ## the tests with each Python
	set -e; for python in $(PYTHONS); do $(MAKE) --no-print-directory test-full VENV=.venv-$$python PYTHON=$$python; done

coverage: $(VENV)/test.stamp  ## branch coverage of errgrpc/, at least 97 %
	$(BIN)/coverage erase
	# Without the soak, which counts objects: what coverage notes grows with each call.
	$(BIN)/coverage run -m pytest --full --deselect tests/reliability/test_soak.py::test_a_short_soak
	$(BIN)/coverage combine
	$(BIN)/coverage report

mutants: $(VENV)/test.stamp  ## mutation tests of the rooms without I/O
	$(BIN)/python -m pip install --quiet mutmut==3.8.1
	$(BIN)/mutmut run
	$(BIN)/mutmut results

reliability: $(VENV)/test.stamp requirements/reliability.txt  ## every figure of docs/reliability.md, about an hour
	$(BIN)/python $(PIP) -r requirements/reliability.txt
	$(BIN)/python -m reliability

bench: $(VENV)/test.stamp requirements/bench.txt  ## every figure of docs/performance.md, about 20 minutes of an idle machine
	$(BIN)/python $(PIP) -r requirements/bench.txt
	$(BIN)/python -m bench
	$(BIN)/python -m bench.tracking
	$(BIN)/python -m bench.commands

clean:
	rm -rf .venv .venv-* build dist mutants $(PAGE)/node_modules $(addprefix $(WEB)/,node_modules build dist src/gen)
	rm -rf $(addprefix conformance/,go/build grpcurl/build java/target node/gen node/node_modules rust/target)

VERSIONS ?= newest

$(VENV)/stamp: pyproject.toml requirements/$(VERSIONS).txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --editable . -c requirements/$(VERSIONS).txt
	touch $@

$(VENV)/demo.stamp: $(VENV)/stamp examples/classroom/requirements.txt
	$(BIN)/python $(PIP) -r examples/classroom/requirements.txt -c requirements/$(VERSIONS).txt
	touch $@

$(VENV)/gateway.stamp: $(VENV)/stamp requirements/gateway.txt
	$(BIN)/python $(PIP) -r requirements/gateway.txt
	touch $@

%/node_modules/stamp: %/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: it comes with Node.js, 20.19 or newer, https://nodejs.org"; exit 1; }
	npm --prefix $* ci
	touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp requirements/test.txt
	$(BIN)/python $(PIP) -r requirements/test.txt -c requirements/$(VERSIONS).txt
	touch $@

$(VENV)/check.stamp: $(VENV)/test.stamp requirements/check.txt
	$(BIN)/python $(PIP) -r requirements/check.txt -c requirements/$(VERSIONS).txt
	touch $@

$(DOCS)/stamp: requirements/docs.txt requirements/newest.txt pyproject.toml
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python $(PIP) --editable '.[cli]' -c requirements/newest.txt
	$(DOCS)/bin/python $(PIP) -r requirements/docs.txt
	touch $@

$(CODEGEN)/stamp: requirements/codegen.txt pyproject.toml
	$(PYTHON) -m venv $(CODEGEN)
	$(CODEGEN)/bin/python $(PIP) -r requirements/codegen.txt
	$(CODEGEN)/bin/python $(PIP) --no-deps --editable .
	ln -sfn $$($(CODEGEN)/bin/python -c "import os, sysconfig; print(os.path.relpath(sysconfig.get_path('purelib'), '$(CODEGEN)'))") $(CODEGEN)/site-packages
	touch $@
