#!/usr/bin/env bash
# Measures the server against its bars: builds release, starts servers of its own on data folders of their own, and
# ends with 1 if a bar is missed. See docs/benchmarks.md.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_rust
cd "$root"
cargo build --locked --release --bin synapti --bin synapti-load
# Where cargo puts programs is asked of cargo itself; the folder may be set in more than one place.
release=$(cargo metadata --locked --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failed=0

# measure NAME ARGS…: one command of the load generator; the bars are repeated at the end.
measure() {
  local name=$1
  say "$name"
  "$release/synapti-load" "$@" --binary "$release/synapti" | tee "$results/$name" || failed=1
}

measure latency
measure open

say "bars (load average $(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null || echo unknown), $(getconf _NPROCESSORS_ONLN) cores)"
grep -h '^  bar: ' "$results"/* || failed=1
exit "$failed"
