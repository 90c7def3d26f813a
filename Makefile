# The two that set everything up: `make serve`, and `make test`. `make help` lists all.

CARGO ?= cargo

# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help page build serve test check contract fuzz audit parameters bench pictures clean

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

page: ## The map page, web/dist, which the binary carries; without npm it has a plain one
	@scripts/page.sh build

build: page ## The optimized binary, target/release/kiln
	$(CARGO) build --release

serve: build ## A map of the bundled points, kept in a store, at http://127.0.0.1:3000/; ARGS='-l 8080 points.csv' says more
	scripts/demo_store.sh target/demo
	target/release/kiln serve --store target/demo $(ARGS)

test: tools page ## All tests; installs what they need where it is missing
	$(CARGO) test --workspace --all-targets
	$(CARGO) test --workspace --doc
	KILN=$(abspath $(TARGET)/debug/kiln) scripts/page.sh test

check: ## Format, lints, documentation, licenses and sources of dependencies; needs no network
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items
	python3 scripts/dependencies.py

contract: build ## The server held against its own OpenAPI contract, by schemathesis
	scripts/contract.sh

fuzz: ## Each fuzz target for some seconds, SECONDS_EACH=10; needs a C++ compiler
	scripts/fuzz.sh

audit: ## Advisories, licenses and bans of dependencies, by cargo-deny, which needs a network
	$(CARGO) deny check

parameters: ## docs/parameters.md, the TypeScript type of a style and the schema of kiln.toml, written from the declarations
	KILN_BLESS=1 $(CARGO) test --lib parameters::tests
	$(CARGO) run --quiet -- config --schema > target/kiln.schema.json
	mv target/kiln.schema.json docs/kiln.schema.json

bench: ## Benchmarks, reported by criterion under target/criterion
	$(CARGO) bench

pictures: build ## The README's pictures, drawn anew from the bundled data
	scripts/pictures.sh

clean: ## Everything that was built
	$(CARGO) clean
	rm -rf web/node_modules web/dist/assets web/dist/index.html web/dist/mask.html web/kiln-leaflet/dist

# Foreign programs that the tests hold our files against.
.PHONY: tools
tools:
	@command -v gdalinfo >/dev/null || scripts/install.sh gdal-bin
	@ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1 || scripts/install.sh postgresql postgresql-postgis
	@scripts/page.sh tools
	@scripts/readers.sh
