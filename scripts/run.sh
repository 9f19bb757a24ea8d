#!/usr/bin/env bash
# Builds the page, where there is Node.js, and the server, and starts it; arguments go to the program.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_rust
cd "$root"
if ! has_node; then
  echo "The page is left out: building it takes Node.js $node_version_min or newer (on Debian 13: apt-get install nodejs npm); then run this again."
elif page_is_stale; then
  say 'building the page'
  build_page || echo 'The page was not built, for the reason above. The server starts with the page as it was before, if there was one.'
fi
exec cargo run --locked --release --bin synapti -- "$@"
