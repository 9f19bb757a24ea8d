#!/usr/bin/env bash
# Everything that must hold before a change is merged. All steps run, so that one failure does not hide another; the
# last line says how many tests passed and failed in all, or which steps failed.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postgres.sh"
. "$(dirname "$0")/redis.sh"

need_rust
need_rust_component fmt rustfmt
need_rust_component clippy clippy
need_node
need_chromium
need_postgres
need_redis
need strace strace
need openssl openssl
need curl curl
need python3 python3
cd "$root"

logs=$(mktemp -d)
trap 'stop_redis; stop_postgres; rm -rf "$logs"' EXIT
failed_steps=()
page_failed=

# step NAME LOG COMMAND…: runs the command, keeps its output in LOG, and remembers whether it failed.
step() {
  local name=$1 log=$logs/$2 begin=$SECONDS
  shift 2
  say "$name"
  if "$@" 2>&1 | tee "$log"; then
    printf '=== %s: ok (%d s)\n' "$name" $((SECONDS - begin))
  else
    printf '=== %s: FAILED (%d s)\n' "$name" $((SECONDS - begin))
    failed_steps+=("$name")
    return 1
  fi
}

run_clients() {
  cd "$root/tests/clients" && TEST_BINARY="$(target_directory)/debug/synapti" npm test --silent
}

run_hocuspocus() {
  cd "$root/tests/hocuspocus" && TEST_BINARY="$(target_directory)/debug/synapti" npm test --silent
}

run_browser() {
  cd "$root/tests/browser" && TEST_BINARY="$(target_directory)/debug/synapti" npm test --silent
}

# The small disk of these tests is mounted in a namespace of their own, so that nothing of it is left. Who is not root is
# root in there.
run_faults() {
  local alone=(unshare --mount)
  "${alone[@]}" true 2>/dev/null || alone=(unshare --user --map-root-user --mount)
  cd "$root/tests/faults" && TEST_BINARY="$(target_directory)/debug/synapti" "${alone[@]}" npm test --silent
}

run_attacks() {
  cd "$root/tests/attacks" && TEST_BINARY="$(target_directory)/debug/synapti" npm test --silent
}

run_cluster() {
  cd "$root/tests/cluster" && TEST_BINARY="$(target_directory)/debug/synapti" npm test --silent
}

run_recipes() {
  cd "$root/tests/recipes" && TEST_BINARY="$(target_directory)/debug/synapti" npm test --silent
}

run_deploy() {
  cd "$root/tests/deploy" && TEST_BINARY="$(target_directory)/debug/synapti" npm test --silent
}

run_mutate() {
  local programs
  programs=$(target_directory)/debug
  "$programs/synapti-load" mutate --messages 20000 --binary "$programs/synapti"
}

run_crash() {
  local programs
  programs=$(target_directory)/debug
  "$programs/synapti-load" crash --binary "$programs/synapti" "$@"
}

in_web() { cd "$root/web" && npm run --silent "$1"; }
in_client() { cd "$root/web/client" && TEST_BINARY="$(target_directory)/debug/synapti" npm run --silent "$1"; }

# The page comes first: it is built into the server.
if step 'packages of the page' npm-web install_packages web; then
  step 'types of the page' web-check in_web check
  step 'tests of the page' web-test in_web test
  step 'page' web-build in_web build || page_failed=1
else
  page_failed=1
fi
client_failed=
if step 'packages of the client package' npm-client install_packages web/client; then
  step 'types of the client package' client-check in_client check
  step 'tests of the client package' client-test in_client test
  step 'client package' client-build in_client build
else
  client_failed=1
fi
step 'format' fmt cargo fmt --all --check
step 'lints' clippy cargo clippy --locked --workspace --all-targets -- -D warnings
say 'a PostgreSQL and a Redis for the tests'
start_postgres
start_redis
step 'Rust tests' rust cargo test --locked --workspace --no-fail-fast
if step 'npm packages' npm install_packages tests/clients && step 'server for the clients' build cargo build --locked --bin synapti --bin synapti-load; then
  step 'tests with real clients' clients run_clients
  if [ -z "$client_failed" ]; then
    step 'tests of the client package with the server' client-server in_client test:server
  else
    failed_steps+=('tests of the client package with the server (not run)')
  fi
  step 'tests with faults of the machine' faults run_faults
  step 'tests of a cluster' cluster run_cluster
  step 'attacks' attacks run_attacks
  if step 'packages of the Hocuspocus tests' npm-hocuspocus install_packages tests/hocuspocus; then
    step 'tests with the Hocuspocus provider' hocuspocus run_hocuspocus
  else
    failed_steps+=('tests with the Hocuspocus provider (not run)')
  fi
  # They run with the packages of the clients, which are there when the steps above went well.
  step 'documents and recipes' recipes run_recipes
  if step 'packages of the deployment tests' npm-deploy install_packages tests/deploy; then
    step 'tests of the deployment' deploy run_deploy
  else
    failed_steps+=('tests of the deployment (not run)')
  fi
  step 'mutated messages' mutate run_mutate
  step 'crashes, on SQLite' crash-sqlite run_crash --rounds 20
  step 'crashes, on PostgreSQL' crash-postgres run_crash --rounds 5 --store postgres --database-url "$TEST_POSTGRES_URL"
  if [ -z "$page_failed" ] && step 'packages of the browser tests' npm-browser install_packages tests/browser; then
    step 'tests with a browser' browser run_browser
  else
    failed_steps+=('tests with a browser (not run)')
  fi
else
  failed_steps+=('tests with real clients (not run)' 'tests of the client package with the server (not run)' 'tests with the Hocuspocus provider (not run)' 'tests with faults (not run)' 'tests of a cluster (not run)' 'attacks (not run)' 'documents and recipes (not run)' 'tests of the deployment (not run)' 'crashes (not run)' 'tests with a browser (not run)')
fi

# Cargo prints "test result: ok. 12 passed; 0 failed; …" per binary, node "ℹ pass 12" and "ℹ fail 0" at its end.
counted=$(cat "$logs/rust" "$logs/clients" "$logs/hocuspocus" "$logs/faults" "$logs/cluster" "$logs/attacks" "$logs/recipes" "$logs/deploy" "$logs/web-test" "$logs/client-test" "$logs/client-server" "$logs/browser" 2>/dev/null | awk '
  /^test result:/ { passed += $4; failed += $6 }
  /^ℹ pass / { passed += $3 }
  /^ℹ (fail|cancelled) / { failed += $3 }
  END { printf "%d passed, %d failed", passed, failed }')

printf '\n%s\n' "$counted"
if [ ${#failed_steps[@]} -gt 0 ]; then
  # A step that did not even build has no failed tests to count, so the names come last.
  printf 'FAILED: %s\n' "$(IFS=,; echo "${failed_steps[*]}" | sed 's/,/, /g')"
  exit 1
fi
