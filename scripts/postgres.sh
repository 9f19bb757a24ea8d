# A PostgreSQL of one's own for tests: sourced after lib.sh.
#
#   need_postgres      its programs are there, or Debian's package is installed
#   start_postgres     starts one in a temporary folder and sets TEST_POSTGRES_URL; does nothing when that is set already.
#                      `start_postgres on` starts one that flushes to disk
#   stop_postgres      stops it and removes the folder: call it at the end, whatever happens

postgres_version_min=15
postgres_folder=
postgres_starts_max=10

# The folder with the programs of the newest version that we can use.
find_postgres() {
  local version
  for version in $(ls /usr/lib/postgresql 2>/dev/null | sort -Vr); do
    if at_least "$version" "$postgres_version_min" && [ -x "/usr/lib/postgresql/$version/bin/initdb" ]; then
      postgres_programs=/usr/lib/postgresql/$version/bin
      return
    fi
  done
  command -v initdb >/dev/null && command -v pg_ctl >/dev/null || return 1
  at_least "$(initdb --version | grep -o '[0-9][0-9.]*' | head -n 1)" "$postgres_version_min" || return 1
  postgres_programs=$(dirname "$(command -v initdb)")
}

need_postgres() {
  find_postgres && return
  debian_install postgresql && find_postgres && return
  fail "PostgreSQL $postgres_version_min or newer is missing. On Debian: apt-get install postgresql"
}

# PostgreSQL refuses to run as root; its package brings a user for it.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid="$(id -u postgres)" --regid="$(id -g postgres)" --clear-groups "$@"
  else
    "$@"
  fi
}

start_postgres() {
  [ -n "${TEST_POSTGRES_URL:-}" ] && return
  need_postgres
  local data port settings attempt fsync=${1:-off}
  postgres_folder=$(mktemp -d)
  data=$postgres_folder/data
  [ "$(id -u)" -eq 0 ] && chown "$(id -u postgres):$(id -g postgres)" "$postgres_folder"
  (cd / && as_postgres "$postgres_programs/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 \
    --no-locale --no-sync >"$postgres_folder/initdb.log" 2>&1) || {
    cat "$postgres_folder/initdb.log" >&2
    fail "PostgreSQL could not be set up for the tests"
  }
  # Without flushes unless they are asked for: the tests stop servers, not machines.
  settings="-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=$fsync -c max_connections=300"
  for ((attempt = 0; attempt < postgres_starts_max; attempt++)); do
    port=$((20000 + RANDOM % 12000))
    if (cd / && as_postgres "$postgres_programs/pg_ctl" start --wait --silent --pgdata="$data" --log="$data/log" \
      --options="-p $port $settings" >/dev/null 2>&1); then
      export TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
      return
    fi
  done
  cat "$data/log" >&2
  fail "PostgreSQL could not be started for the tests"
}

stop_postgres() {
  [ -z "$postgres_folder" ] && return
  if [ -f "$postgres_folder/data/postmaster.pid" ]; then
    (cd / && as_postgres "$postgres_programs/pg_ctl" stop --mode=immediate --silent --pgdata="$postgres_folder/data" >/dev/null 2>&1)
  fi
  rm -rf "$postgres_folder"
  postgres_folder=
}
