#!/usr/bin/env bash
# Licences, sources and known faults of the dependencies, by the rules of deny.toml.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_rust
cd "$root"
cargo deny --version >/dev/null 2>&1 ||
  fail "cargo-deny is missing. Install it with: cargo install --locked cargo-deny"
cargo deny check
