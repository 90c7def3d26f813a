# `make serve` builds and runs Kiln, `make test` runs all tests, and `make help` lists all targets.

CARGO ?= cargo

# The folder of cargo's output.
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help page build serve test check contract fuzz audit parameters bench pictures clean

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

page: ## The map page, web/dist, which the binary contains; without npm, the binary contains a simpler page
	@scripts/page.sh build

build: page ## The optimized binary, target/release/kiln
	$(CARGO) build --release

serve: build ## Serve a map of the bundled points at http://127.0.0.1:3000/; ARGS='-l 8080 points.csv' adds arguments
	scripts/demo_store.sh target/demo
	target/release/kiln serve --store target/demo $(ARGS)

test: tools page ## Run all tests; installs missing tools
	$(CARGO) test --workspace --all-targets
	$(CARGO) test --workspace --doc
	KILN=$(abspath $(TARGET)/debug/kiln) scripts/page.sh test

check: ## Check format, lints, documentation, licenses and sources of dependencies; needs no network
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items
	python3 scripts/dependencies.py

contract: build ## Check the server against its OpenAPI document, by schemathesis
	scripts/contract.sh

fuzz: ## Run each fuzz target for a few seconds, SECONDS_EACH=10; needs a C++ compiler
	scripts/fuzz.sh

audit: ## Check advisories, licenses and bans of dependencies, by cargo-deny; needs a network
	$(CARGO) deny check

parameters: ## Generate the pages of parameters, configuration and HTTP API, the TypeScript type of a style, and the schema of kiln.toml
	KILN_BLESS=1 $(CARGO) test --lib parameters::tests
	$(CARGO) run --quiet -- config --schema > target/kiln.schema.json
	mv target/kiln.schema.json docs/kiln.schema.json

book: ## Build the user guide as HTML, target/book; needs mdBook
	@command -v mdbook >/dev/null || { echo 'mdBook is missing: cargo install mdbook, or a release of https://github.com/rust-lang/mdBook' >&2; exit 1; }
	mdbook build docs

bench: ## Run the benchmarks; criterion reports under target/criterion
	$(CARGO) bench

pictures: build ## Render the pictures of the README and the guide from the bundled data
	scripts/pictures.sh

clean: ## Remove all build output
	$(CARGO) clean
	rm -rf web/node_modules web/dist/assets web/dist/index.html web/kiln-leaflet/dist

# Programs of other projects that the tests use to read Kiln's files.
.PHONY: tools
tools:
	@command -v gdalinfo >/dev/null || scripts/install.sh gdal-bin
	@ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1 || scripts/install.sh postgresql postgresql-postgis
	@scripts/page.sh tools
	@scripts/readers.sh
