#!/usr/bin/env bash
# Builds the server and starts it; arguments go to the program.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_rust
cd "$root"
exec cargo run --locked --release --bin synapti -- "$@"
