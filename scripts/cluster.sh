#!/usr/bin/env bash
# Two nodes with PostgreSQL and Redis on loopback, of this machine's own programs; with HAProxy, where it is installed, also
# a balancer. Ctrl-C stops everything in order. Maps stay in data/cluster.
#
#   CLUSTER_PORT=8080      the balancer's port; the nodes have the two after it
#   CLUSTER_DATA=FOLDER    where maps are kept
#   CLUSTER_BINARY=FILE    a program that is built already
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postgres.sh"
. "$(dirname "$0")/redis.sh"

balancer_port=${CLUSTER_PORT:-8080}
node_ports=($((balancer_port + 1)) $((balancer_port + 2)))
data=${CLUSTER_DATA:-$root/data/cluster}
node_pids=()
balancer_pid=
log_pids=()
# A node that listens has opened its database, which may have to be brought up to date first.
answers_within_seconds=120

# Lines of a log, each with whose it is. Ctrl-C is not for this one either: last words are worth reading.
labelled() { trap '' INT && exec sed -u "s/^/$1 | /"; }

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

need_free() {
  is_taken "$1" || return 0
  fail "port $1 of 127.0.0.1 is taken. Stop what listens there, or take others: CLUSTER_PORT=9080 make cluster"
}

# apart COMMAND…: in a session of its own, which the Ctrl-C of this terminal does not reach.
apart() { exec setsid "$@"; }

start_node() {
  local name=node$1 port=${node_ports[$1 - 1]}
  SYNAPTI_LISTEN=127.0.0.1:$port SYNAPTI_DATABASE_URL=postgres://postgres@127.0.0.1:$postgres_port/synapti \
    SYNAPTI_REDIS_URL=$TEST_REDIS_URL SYNAPTI_SPILL_FOLDER=$data/set-aside SYNAPTI_TRUSTED_PROXIES=127.0.0.1 \
    apart "$binary" serve > >(labelled "$name   ") 2>&1 &
  node_pids[$1 - 1]=$!
}

start_balancer() {
  BALANCER_BIND=127.0.0.1:$balancer_port NODE1=127.0.0.1:${node_ports[0]} NODE2=127.0.0.1:${node_ports[1]} \
    apart "$haproxy" -db -f "$root/deploy/haproxy.cfg" > >(labelled balancer) 2>&1 &
  balancer_pid=$!
}

await_node() {
  local pid=${node_pids[$1 - 1]} port=${node_ports[$1 - 1]} end=$((SECONDS + answers_within_seconds))
  until is_taken "$port"; do
    kill -0 "$pid" 2>/dev/null || fail "node$1 did not start, for the reason above"
    [ "$SECONDS" -lt "$end" ] || fail "node$1 did not answer within $answers_within_seconds seconds"
    sleep 0.1
  done
}

follow() {
  apart tail -n 0 -F "$2" > >(labelled "$1") 2>/dev/null &
  log_pids+=($!)
}

# Starts a node again whenever it has ended: as a new version would, or after it was killed to see what happens.
keep_up() {
  local ended code index
  while true; do
    code=0
    wait -n -p ended "${node_pids[@]}" || code=$?
    for index in "${!node_pids[@]}"; do
      [ "${node_pids[index]}" = "$ended" ] || continue
      [ "$code" -ne 64 ] || fail "node$((index + 1)) does not take its settings, for the reason above"
      say "node$((index + 1)) has ended with $code; it is started again"
      start_node $((index + 1))
      await_node $((index + 1))
    done
  done
}

# end PID…: asks all of them to stop, and returns when they have.
end() {
  kill -TERM "$@" 2>/dev/null || true
  for pid in "$@"; do wait "$pid" 2>/dev/null || true; done
}

# Clients first: the nodes send them away and save what they brought, and need PostgreSQL for that.
stop_all() {
  local code=$?
  trap '' INT TERM
  if [ ${#node_pids[@]} -gt 0 ]; then
    say 'stopping: the nodes, then what they use'
    end "${node_pids[@]}"
  fi
  [ -n "$balancer_pid" ] && end "$balancer_pid"
  stop_redis
  [ -n "${postgres_programs:-}" ] && end_postgres "$data" fast
  [ ${#log_pids[@]} -gt 0 ] && end "${log_pids[@]}"
  exit "$code"
}

tell() {
  say 'the cluster runs'
  echo "node 1      http://127.0.0.1:${node_ports[0]}"
  echo "node 2      http://127.0.0.1:${node_ports[1]}"
  if [ -n "$balancer_pid" ]; then
    echo "balancer    http://127.0.0.1:$balancer_port (HAProxy, by deploy/haproxy.cfg)"
  else
    echo 'balancer    none: HAProxy is not installed (on Debian: apt-get install haproxy)'
  fi
  echo "PostgreSQL  postgres://postgres@127.0.0.1:$postgres_port/synapti, in $data"
  echo "Redis       $TEST_REDIS_URL"
  echo
  echo 'Open the same map on both nodes in two windows, or write on one and read on the other:'
  echo
  echo "  curl -X POST 127.0.0.1:${node_ports[0]}/v1/graphs -H 'content-type: application/json' -d '{\"id\": \"my-map\", \"topic\": \"Rust\"}'"
  echo "  curl -X POST 127.0.0.1:${node_ports[0]}/v1/graphs/my-map/nodes -H 'content-type: application/json' -d '{\"title\": \"Ownership\"}'"
  echo "  curl 127.0.0.1:${node_ports[1]}/v1/graphs/my-map"
  echo "  curl 127.0.0.1:${node_ports[1]}/health"
  echo
  echo "To see a node go and come back: kill -9 ${node_pids[0]}, or, as for a new version, kill -TERM ${node_pids[0]}"
  echo 'Ctrl-C stops everything; the maps stay.'
  echo
}

for port in "${node_ports[@]}"; do need_free "$port"; done
haproxy=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v haproxy || true)
[ -z "$haproxy" ] || need_free "$balancer_port"
need_postgres
need_redis
cd "$root"
binary=${CLUSTER_BINARY:-}
if [ -z "$binary" ]; then
  need_rust
  build_page_if_stale
  cargo build --locked --release --bin synapti
  binary=$(target_directory)/release/synapti
fi

mkdir -p "$data/set-aside"
data=$(cd "$data" && pwd)
as_postgres test -x "$data" ||
  fail "PostgreSQL's user cannot reach $data. Run this as a user who is not root, or set CLUSTER_DATA to a folder that everybody can reach"
trap stop_all EXIT
trap 'exit 0' INT TERM
say 'PostgreSQL, Redis and two nodes'
# One that a killed run left behind has the folder.
end_postgres "$data" fast
make_postgres "$data"
run_postgres "$data" ''
# One of its own, whatever tests use.
unset TEST_REDIS_URL
start_redis
start_node 1
await_node 1
start_node 2
await_node 2
follow postgres "$data/data/log"
follow 'redis   ' "$redis_folder/log"
[ -z "$haproxy" ] || start_balancer
tell

keep_up
