#!/usr/bin/env bash
# Long campaigns of what `make test` runs briefly. Each is bounded by the variables below; seeds of failures are printed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postgres.sh"
. "$(dirname "$0")/redis.sh"

# How many cases each property gets, how many inputs each fuzz target, and how often the client tests are repeated.
export PROPTEST_CASES=${PROPTEST_CASES:-20000}
export FUZZ_ITERATIONS=${FUZZ_ITERATIONS:-5000000}
export TEST_ROUNDS=${TEST_ROUNDS:-100}
# How many histories of several nodes are simulated.
export CLUSTER_SEEDS=${CLUSTER_SEEDS:-10000}
repeats=${SOAK_REPEATS:-10}
# How often the server is killed under load, on each database.
crash_rounds=${CRASH_ROUNDS:-300}
# How many damaged and lying messages are sent.
mutated_messages=${MUTATED_MESSAGES:-1000000}

need_rust
need_node
need_postgres
need_redis
trap 'stop_redis; stop_postgres' EXIT
start_postgres
start_redis
cd "$root"

say "properties ($PROPTEST_CASES cases each) and fuzz targets ($FUZZ_ITERATIONS inputs each)"
cargo test --locked --release --workspace

say "tests with real clients, $repeats times"
install_packages tests/clients
cargo build --locked --release --bin synapti --bin synapti-load
release=$(target_directory)/release
TEST_BINARY=$release/synapti
export TEST_BINARY
for repeat in $(seq "$repeats"); do
  say "clients, $repeat of $repeats"
  (cd tests/clients && npm run --silent soak)
done

say "$mutated_messages mutated messages"
"$release/synapti-load" mutate --messages "$mutated_messages" --binary "$TEST_BINARY"

crash=("$release/synapti-load" crash --rounds "$crash_rounds" --binary "$TEST_BINARY")
say "crashes, $crash_rounds on SQLite"
"${crash[@]}"
say "crashes, $crash_rounds on PostgreSQL"
"${crash[@]}" --store postgres --database-url "$TEST_POSTGRES_URL"
