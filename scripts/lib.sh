# Shared by the scripts of this folder: `. "$(dirname "$0")/lib.sh"`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

rust_version=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$root/rust-toolchain.toml")
# What the build of the page needs; Debian 13 has it.
node_version_min=20.19.0

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

has_node() {
  command -v node >/dev/null && command -v npm >/dev/null &&
    at_least "$(node -p process.versions.node)" "$node_version_min"
}

need_node() {
  need node nodejs
  need npm npm
  has_node ||
    fail "Node.js $node_version_min or newer is needed for the page and for the tests with real clients, found $(node --version); Debian 13 and newer have it (apt-get install nodejs npm)"
}

# The browser that drives the page in the tests.
need_chromium() {
  local name
  for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && return
  done
  need chromium chromium
}

# Where cargo puts what it builds: asked of cargo itself, since the folder may be set in more than one place.
target_directory() {
  (cd "$root" && cargo metadata --locked --format-version 1 --no-deps |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
}

# install_packages FOLDER: its npm packages, exactly as locked; nothing to do when they are there already.
install_packages() {
  local lock=$root/$1/package-lock.json installed=$root/$1/node_modules/.package-lock.json
  [ -f "$installed" ] && [ ! "$lock" -nt "$installed" ] && return
  (cd "$root/$1" && npm ci --no-audit --no-fund --loglevel=error)
}

# True when the page was not built yet, or something that it is made of is newer than what was built.
page_is_stale() {
  local built=$root/web/dist/site/index.html
  [ ! -f "$built" ] && return
  (cd "$root/web" && [ -n "$(find src client/src index.html package-lock.json tsconfig.json vite.config.ts -newer "$built" -print -quit)" ])
}

build_page() { install_packages web && (cd "$root/web" && npm run --silent build); }

# The page is worth having, and nothing else waits for it.
build_page_if_stale() {
  if ! has_node; then
    echo "The page is left out: building it takes Node.js $node_version_min or newer (on Debian 13: apt-get install nodejs npm); then run this again."
  elif page_is_stale; then
    say 'building the page'
    build_page || echo 'The page was not built, for the reason above. The server starts with the page as it was before, if there was one.'
  fi
}
