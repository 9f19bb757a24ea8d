#!/usr/bin/env bash
# Measures the server against its bars: builds release, starts servers of its own on data folders of their own, and
# ends with 1 if a bar is missed. BENCH_ONLY="fanout join" measures only these. See docs/benchmarks.md.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postgres.sh"

commands="latency open fanout rooms max join idle poll slow stopped storm acks compaction ai cluster"
only=${BENCH_ONLY:-$commands}
for name in $only; do
  case " $commands " in
    *" $name "*) ;;
    *) fail "BENCH_ONLY names \"$name\", and there is only: $commands" ;;
  esac
done

need_rust
cd "$root"
cargo build --locked --release --bin synapti --bin synapti-load
target=$(target_directory)
release=$target/release

# Two nodes need what they share. What is measured has to be on disk, so this PostgreSQL flushes.
case " $only " in
  *" cluster "*)
    need redis-server redis-server
    need psql postgresql-client
    trap stop_postgres EXIT
    start_postgres on
    ;;
esac

results=$target/bench
rm -rf "$results"
mkdir -p "$results"
measured=()
failed=0

# measure FILE COMMAND ARGS…: one command of the load generator, with its JSON in FILE.json and its table in FILE.txt.
measure() {
  local file=$results/$1
  shift
  case " $only " in *" $1 "*) ;; *) return 0 ;; esac
  say "$*"
  measured+=("$file.txt")
  "$release/synapti-load" "$@" --binary "$release/synapti" --json-file "$file.json" | tee "$file.txt" || failed=1
}

versus=(--against-relay --rounds 2 --seconds 15)
measure latency latency
measure open open
measure fanout-1000 fanout --viewers 1000 --rate 20 "${versus[@]}"
measure fanout-100 fanout --viewers 100 --rate 200 "${versus[@]}"
measure rooms rooms "${versus[@]}"
measure max-100 max --viewers 100 --start 6000 --seconds 4
measure max-1000 max --viewers 1000 --start 2000 --seconds 4 --against-relay
measure join join
measure idle idle
measure poll poll
measure poll-latency poll --latency
measure slow slow
measure stopped stopped
measure storm storm
measure acks acks
measure compaction compaction
measure ai ai
measure cluster cluster
measure cluster-storm cluster --storm

say "bars (load average $(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null || echo unknown), $(getconf _NPROCESSORS_ONLN) cores)"
# "  bar: NAME ≤ LIMIT: met, VALUE" becomes a row; the name comes last, because it has any length.
sed -nE 's/^  bar: (.*) ([<≤≥] [^:]*): (met|MISSED), (.*)$/\3\t\4\t\2\t\1/p' "${measured[@]}" |
  awk -F '\t' '{ printf "  %-6s  %16s  %16s  %s\n", $1, $2, $3, $4 }'
for file in "${measured[@]}"; do
  grep -q '^  bar: ' "$file" || { say "no result: $(basename "$file" .txt)"; failed=1; }
done
exit "$failed"
