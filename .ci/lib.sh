# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Outside the clone, so that a second run on the same machine installs nothing.
tools="${XDG_CACHE_HOME:-$HOME/.cache}/clientele-tools"

# The versions are part of the folders' names: a new version here is installed beside the old one.
readonly buf_version=1.75.0 cargo_deny_version=0.20.2 grpcurl_version=1.9.4
buf_home="$tools/buf-$buf_version"
cargo_deny_home="$tools/cargo-deny-$cargo_deny_version"
grpcurl_home="$tools/grpcurl-$grpcurl_version"
export PATH="$buf_home/bin:$cargo_deny_home/bin:$grpcurl_home/bin:$PATH"

fail() {
    printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# The folder of PostgreSQL's programs, found as the embedded cluster finds it; fails if there is none.
pg_bin() {
    local found
    if [[ -n "${CLIENTELE_PG_BIN:-}" ]]; then
        found="$CLIENTELE_PG_BIN"
    elif found="$(command -v initdb)"; then
        # On Debian a lone link to initdb may be in PATH: its neighbours are where it points.
        found="$(dirname "$(readlink -f "$found")")"
    else
        found="$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)"
    fi
    [[ -x "$found/initdb" && -x "$found/postgres" ]] || return 1
    printf '%s\n' "$found"
}
