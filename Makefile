# `make run` starts the server, `make test` checks everything. The work is done in scripts/.

.DEFAULT_GOAL := help
.PHONY: help run test soak bench fmt lint deny clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build the page and the server and start it on its embedded database; ARGS="--listen 127.0.0.1:9000" goes to the program
	@scripts/run.sh $(ARGS)

test: ## Format, lints, Rust tests, tests with the real Yjs clients, with faults and with a browser; sets up what they need
	@scripts/test.sh

soak: ## Long campaigns; bounded by PROPTEST_CASES, FUZZ_ITERATIONS, TEST_ROUNDS, SOAK_REPEATS, MUTATED_MESSAGES and CRASH_ROUNDS
	@scripts/soak.sh

bench: ## Measure the server against its bars; figures and method are in docs/benchmarks.md
	@scripts/bench.sh

fmt: ## Format the Rust code
	cargo fmt --all

lint: ## Lints as errors
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny: ## Licences, sources and known faults of the dependencies
	@scripts/deny.sh

clean: ## Remove what was built; the data stays
	cargo clean
	rm -rf tests/clients/node_modules tests/browser/node_modules web/node_modules web/dist/site web/.test
