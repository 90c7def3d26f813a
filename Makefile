# The two that set everything up: `make test`, and `make check`. `make help` lists all.

CARGO ?= cargo

.PHONY: help build test check bench pictures clean

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## The optimized binary, target/release/kiln
	$(CARGO) build --release

test: tools ## All tests; installs what they need where it is missing
	$(CARGO) test --all-targets
	$(CARGO) test --doc

check: ## Format, lints, documentation, licenses of dependencies
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items
	python3 scripts/licenses.py

bench: ## Benchmarks, reported by criterion under target/criterion
	$(CARGO) bench

pictures: build ## The README's pictures, drawn anew from the bundled data
	scripts/pictures.sh

clean: ## Everything that was built
	$(CARGO) clean

# Foreign programs that the tests hold our files against.
.PHONY: tools
tools:
	@command -v gdalinfo >/dev/null || scripts/install.sh gdal-bin
