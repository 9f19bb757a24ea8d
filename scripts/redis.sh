# A Redis of one's own, for tests and for `make cluster`: sourced after lib.sh.
#
#   need_redis      its programs are there, or Debian's package is installed
#   start_redis     starts one in a temporary folder and sets TEST_REDIS_URL; does nothing when that is set already
#   stop_redis      stops it and removes the folder: call it at the end, whatever happens

redis_folder=
redis_pid=
redis_starts_max=10
redis_waits_max=200

need_redis() { need redis-server redis-server; }

start_redis() {
  [ -n "${TEST_REDIS_URL:-}" ] && return
  need_redis
  local port attempt
  redis_folder=$(mktemp -d)
  for ((attempt = 0; attempt < redis_starts_max; attempt++)); do
    port=$((20000 + RANDOM % 12000))
    run_redis "$port" && {
      export TEST_REDIS_URL="redis://127.0.0.1:$port"
      return
    }
  done
  cat "$redis_folder/log" >&2
  fail "Redis could not be started"
}

# run_redis PORT: starts it, with its log in the folder. In a session of its own: what is stopped in order must not get the
# Ctrl-C of a terminal beforehand.
run_redis() {
  local wait
  : >"$redis_folder/log"
  setsid redis-server --bind 127.0.0.1 --port "$1" --dir "$redis_folder" --save '' --appendonly no \
    --maxmemory-policy noeviction >"$redis_folder/log" 2>&1 &
  redis_pid=$!
  for ((wait = 0; wait < redis_waits_max; wait++)); do
    grep -q 'Ready to accept connections' "$redis_folder/log" && return
    kill -0 "$redis_pid" 2>/dev/null || break
    sleep 0.05
  done
  # It never came up, or somebody has the port.
  end_redis
  return 1
}

end_redis() {
  [ -z "$redis_pid" ] && return
  kill "$redis_pid" 2>/dev/null || true
  wait "$redis_pid" 2>/dev/null || true
  redis_pid=
}

stop_redis() {
  end_redis
  [ -z "$redis_folder" ] && return
  rm -rf "$redis_folder"
  redis_folder=
}
