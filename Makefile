# `make run` starts the server, `make test` checks everything. The work is done in scripts/.

.DEFAULT_GOAL := help
.PHONY: help run cluster test soak bench fmt lint deny clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build the page and the server and start it on its embedded database; ARGS="--listen 127.0.0.1:9000" goes to the program
	@scripts/run.sh $(ARGS)

cluster: ## Two nodes with PostgreSQL and Redis on 127.0.0.1:8081 and 8082, behind HAProxy on 8080 where it is installed
	@scripts/cluster.sh

test: ## Format, lints, Rust tests, tests with the real Yjs clients, with faults, with several nodes and with a browser; sets up what they need
	@scripts/test.sh

soak: ## Long campaigns; bounded by PROPTEST_CASES, FUZZ_ITERATIONS, TEST_ROUNDS, CLUSTER_SEEDS, SOAK_REPEATS, MUTATED_MESSAGES and CRASH_ROUNDS
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
	rm -rf tests/clients/node_modules tests/hocuspocus/node_modules tests/browser/node_modules tests/deploy/node_modules web/node_modules web/dist/site web/.test web/client/node_modules web/client/dist web/client/.test
