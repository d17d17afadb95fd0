# shellcheck shell=bash
# Shared by the scripts of this folder. Sourced, never run.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# A golden file that differs fails the tests, and nothing is written: see CONTRIBUTING.
export INSTA_UPDATE=no

# Outside the clone, so that later runs on the same machine install nothing.
tools="${XDG_CACHE_HOME:-$HOME/.cache}/clientele-tools"

# The versions are part of the folders' names: a new version is installed beside the old one.
readonly buf_version=1.75.0 cargo_deny_version=0.20.2 grpcurl_version=1.9.4
readonly typos_version=1.52.0 cargo_shear_version=1.14.0
readonly openapi_version=0.7.1 protoc_doc_version=1.5.1
readonly helm_version=3.22.0 kubeconform_version=0.8.0 kubernetes_validate_version=1.37.0 hadolint_version=2.15.1
buf_home="$tools/buf-$buf_version"
cargo_deny_home="$tools/cargo-deny-$cargo_deny_version"
typos_home="$tools/typos-$typos_version"
cargo_shear_home="$tools/cargo-shear-$cargo_shear_version"
grpcurl_home="$tools/grpcurl-$grpcurl_version"
helm_home="$tools/helm-$helm_version"
kubeconform_home="$tools/kubeconform-$kubeconform_version"
hadolint_home="$tools/hadolint-$hadolint_version"
# Only its schemas are used, and PyYAML, its dependency.
kubernetes_validate_home="$tools/kubernetes-validate-$kubernetes_validate_version"
kubernetes_schemas="$kubernetes_validate_home/kubernetes_validate/kubernetes-json-schema"
promtool_home="$tools/promtool"
openapi_home="$tools/protoc-gen-openapi-$openapi_version"
protoc_doc_home="$tools/protoc-gen-doc-$protoc_doc_version"
export PATH="$buf_home/bin:$cargo_deny_home/bin:$typos_home/bin:$cargo_shear_home/bin:$grpcurl_home/bin:$helm_home/bin:$kubeconform_home/bin:$hadolint_home/bin:$promtool_home/bin:$openapi_home/bin:$protoc_doc_home/bin:$PATH"

fail() {
    printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Python with PyYAML. PYTHONPATH is not exported, because the tests start Python too.
with_yaml() {
    PYTHONPATH="$kubernetes_validate_home" PYTHONDONTWRITEBYTECODE=1 python3 "$@"
}

# Prints the folder of PostgreSQL's binaries, found like the embedded cluster does; fails if there is none.
pg_bin() {
    local found
    if [[ -n "${CLIENTELE_PG_BIN:-}" ]]; then
        found="$CLIENTELE_PG_BIN"
    elif found="$(command -v initdb)"; then
        # On Debian a single link to initdb may be in PATH; the other binaries are beside its target.
        found="$(dirname "$(readlink -f "$found")")"
    else
        found="$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)"
    fi
    [[ -x "$found/initdb" && -x "$found/postgres" ]] || return 1
    printf '%s\n' "$found"
}
