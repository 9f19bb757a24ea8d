# Shared by the scripts of this folder: `. "$(dirname "$0")/lib.sh"`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

rust_version=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$root/rust-toolchain.toml")
node_major_min=20

say() { printf '\n=== %s\n' "$*"; }
fail() {
  printf '\nerror: %s\n' "$*" >&2
  exit 1
}

# True when version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Installs Debian packages where we may: as root, or with a sudo that asks no questions.
debian_install() {
  local as_root=()
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  say "installing with apt-get: $*"
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# need COMMAND PACKAGE: COMMAND exists, or PACKAGE is installed, or we say what is missing.
need() {
  command -v "$1" >/dev/null && return
  debian_install "$2" && command -v "$1" >/dev/null && return
  fail "'$1' is missing. On Debian: apt-get install $2"
}

# The Rust toolchain comes from rustup: Debian's is older than what we build with.
need_rust() {
  if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
    PATH="$HOME/.cargo/bin:$PATH"
  fi
  command -v cargo >/dev/null ||
    fail "Rust is missing ('cargo' is not in PATH). Install rustup, the Rust project's installer, and run this again; it takes version $rust_version by itself."
  local found
  found=$(cd "$root" && cargo --version | cut -d ' ' -f 2) ||
    fail "cargo does not run; with rustup: rustup toolchain install $rust_version"
  at_least "$found" "$rust_version" ||
    fail "Rust $rust_version or newer is needed, found $found. With rustup: rustup toolchain install $rust_version"
  # The linker, and the compiler for the SQLite that is built in.
  need cc build-essential
}

need_rust_component() {
  (cd "$root" && cargo "$1" --version >/dev/null 2>&1) && return
  command -v rustup >/dev/null && (cd "$root" && rustup component add "$2") && return
  fail "'cargo $1' is missing. With rustup: rustup component add $2"
}

need_node() {
  need node nodejs
  need npm npm
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge "$node_major_min" ] ||
    fail "Node.js $node_major_min or newer is needed for the tests with real clients, found $(node --version); Debian 13 and newer have it (apt-get install nodejs npm)"
}

# Where cargo puts what it builds.
target_directory() {
  (cd "$root" && cargo metadata --format-version 1 --no-deps |
    node -p 'JSON.parse(require("node:fs").readFileSync(0, "utf8")).target_directory')
}

# The npm packages of the client tests, exactly as locked.
install_clients() { (cd "$root/tests/clients" && npm ci --no-audit --no-fund --loglevel=error); }
