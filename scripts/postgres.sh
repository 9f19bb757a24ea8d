# A PostgreSQL of one's own: sourced after lib.sh.
#
#   need_postgres      its programs are there, or Debian's package is installed
#   start_postgres     starts one in a temporary folder and sets TEST_POSTGRES_URL; does nothing when that is set already.
#                      `start_postgres on` starts one that flushes to disk
#   stop_postgres      stops it and removes the folder: call it at the end, whatever happens
#
#   make_postgres FOLDER         makes one that stays, unless there is one
#   run_postgres FOLDER SETTINGS starts it on a free port, which is then in postgres_port
#   end_postgres FOLDER MODE     stops it

postgres_version_min=15
postgres_folder=
postgres_port=
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
  postgres_folder=$(mktemp -d)
  make_postgres "$postgres_folder" --no-sync
  # Without flushes unless they are asked for: the tests stop servers, not machines.
  run_postgres "$postgres_folder" "-c fsync=${1:-off} -c max_connections=300"
  export TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$postgres_port/postgres"
}

stop_postgres() {
  [ -z "$postgres_folder" ] && return
  end_postgres "$postgres_folder" immediate
  rm -rf "$postgres_folder"
  postgres_folder=
}

make_postgres() {
  local folder=$1
  shift
  [ -f "$folder/data/PG_VERSION" ] && return
  [ "$(id -u)" -eq 0 ] && chown "$(id -u postgres):$(id -g postgres)" "$folder"
  (cd / && as_postgres "$postgres_programs/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 \
    --no-locale "$@" 2>&1) >"$folder/initdb.log" || {
    cat "$folder/initdb.log" >&2
    fail "PostgreSQL could not be set up in $folder"
  }
}

run_postgres() {
  local data=$1/data attempt
  for ((attempt = 0; attempt < postgres_starts_max; attempt++)); do
    postgres_port=$((20000 + RANDOM % 12000))
    if (cd / && as_postgres "$postgres_programs/pg_ctl" start --wait --silent --pgdata="$data" --log="$data/log" \
      --options="-p $postgres_port -c listen_addresses=127.0.0.1 -c unix_socket_directories= $2" >/dev/null 2>&1); then
      return
    fi
  done
  cat "$data/log" >&2
  fail "PostgreSQL could not be started in $1"
}

end_postgres() {
  [ -f "$1/data/postmaster.pid" ] || return 0
  (cd / && as_postgres "$postgres_programs/pg_ctl" stop --mode="$2" --silent --pgdata="$1/data" >/dev/null 2>&1) || true
}
