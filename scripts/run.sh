#!/usr/bin/env bash
# Builds the page, where there is Node.js, and the server, and starts it; arguments go to the program.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_rust
cd "$root"
build_page_if_stale
exec cargo run --locked --release --bin synapti -- "$@"
