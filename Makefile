# `make serve` and `make test` need no setup. `make help` lists all targets.

CARGO ?= cargo

# The build directory of cargo.
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help page build serve test python wheel test-otel test-spark test-clouds test-qgis check contract soak fuzz simulate audit parameters bench pictures clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

page: ## Build the map page (web/dist), which the binary embeds; without npm the plain page is embedded
	@scripts/page.sh build

build: page ## Build the release binary, target/release/kiln
	$(CARGO) build --release

serve: build ## Serve a map of the bundled points from a store at http://127.0.0.1:3000/; pass flags by ARGS='-l 8080 points.csv'
	scripts/demo_store.sh target/demo
	target/release/kiln serve --store target/demo $(ARGS)

# Many tests wait for servers most of the time: twice as many at once as there are processors.
test: export RUST_TEST_THREADS ?= $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN))
test: tools page ## Run all tests; installs missing tools
	$(CARGO) test --workspace --all-targets
	$(CARGO) test --workspace --doc
	KILN=$(abspath $(TARGET)/debug/kiln) scripts/page.sh test
	scripts/python.sh test

python: tools page ## Build the Python package with the profile of tests, and run its tests
	scripts/python.sh test

wheel: page ## Build the wheel of the Python package, target/wheels; needs Python 3 and npm
	scripts/python.sh wheel

test-otel: ## Test the traces for OpenTelemetry, with a build of their feature
	$(CARGO) test --workspace --features kiln/otel --test otel

test-spark: ## Compare bins of ClickHouse and a Spark cluster with those of Kiln, also after kills; needs Java, and 1.4 GB for pyspark and chdb
	$(CARGO) build
	KILN=$(abspath $(TARGET)/debug/kiln) scripts/spark.sh

test-clouds: ## Read, publish and serve layers in Azurite, and in a stand-in for Google Cloud Storage; installs 230 MB
	$(CARGO) build
	KILN=$(abspath $(TARGET)/debug/kiln) scripts/clouds.sh

test-qgis: ## Open the layer definition, connections and GeoTIFFs in QGIS; installs it, 930 MB
	$(CARGO) build
	KILN=$(abspath $(TARGET)/debug/kiln) scripts/qgis.sh

check: ## Check formatting, lints, documentation, and licenses and sources of dependencies; needs no network
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items
	python3 scripts/dependencies.py

contract: build ## Test the server against its OpenAPI contract by schemathesis
	scripts/contract.sh

soak: build ## Measure the memory of a server under mixed load for MINUTES=30; it must stay below 200 MB and not grow
	scripts/soak.py --minutes $(or $(MINUTES),30)

fuzz: ## Run each fuzz target for SECONDS_EACH=10 seconds; needs a C++ compiler
	scripts/fuzz.sh

simulate: ## Simulate the store for SEEDS=10000 seeds, or print the steps of one, SEED=42
	KILN_SEEDS=$(or $(SEEDS),10000) $(if $(SEED),KILN_SEED=$(SEED)) $(CARGO) test --release -p kiln-store --lib the_store_agrees -- --nocapture

audit: ## Check advisories, licenses and bans of dependencies by cargo-deny; needs a network
	$(CARGO) deny check

parameters: ## Generate the pages of parameters, configuration and HTTP API, the TypeScript type of a style and the schema of kiln.toml
	KILN_BLESS=1 $(CARGO) test --lib parameters::tests
	$(CARGO) run --quiet -- config --schema > target/kiln.schema.json
	mv target/kiln.schema.json docs/kiln.schema.json

book: ## Build the user guide as HTML, target/book; needs mdBook
	@command -v mdbook >/dev/null || { echo 'mdBook is missing: cargo install mdbook, or a release of https://github.com/rust-lang/mdBook' >&2; exit 1; }
	mdbook build docs

bench: ## Run the benchmarks; criterion writes reports to target/criterion
	$(CARGO) bench

pictures: build ## Render the pictures of the README from the bundled data
	scripts/pictures.sh

clean: ## Remove all build output
	$(CARGO) clean
	rm -rf web/node_modules web/dist/assets web/dist/index.html web/dist/mask.html web/kiln-*/dist

# Third-party programs with which tests check Kiln's files.
.PHONY: tools
tools:
	@command -v gdalinfo >/dev/null || scripts/install.sh gdal-bin
	@[ "$$(uname)" != Linux ] || command -v strace >/dev/null || scripts/install.sh strace
	@ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1 || scripts/install.sh postgresql postgresql-postgis
	@scripts/page.sh tools
	@scripts/readers.sh
	@scripts/client_generators.sh
