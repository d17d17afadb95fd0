# shellcheck shell=bash
# A PostgreSQL for a script, on a socket in its temporary folder. Sourced, never run; the script sets $work before.

cluster="$work/cluster" # data, log and socket
bin="$(pg_bin)" || fail "PostgreSQL's binaries (initdb, postgres) were not found: apt-get install postgresql"

# PostgreSQL refuses to run as root.
as_owner() {
    if [[ $EUID -ne 0 ]]; then
        "$@"
    else
        setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups "$@"
    fi
}

owner="$(id -un)"
mkdir "$cluster"
if [[ $EUID -eq 0 ]]; then
    id postgres >/dev/null 2>&1 && owner=postgres || owner=nobody
    chmod 711 "$work"
    chown "$owner" "$cluster"
fi

stop_cluster() {
    [[ ! -f "$cluster/data/postmaster.pid" ]] || as_owner "$bin/pg_ctl" -D "$cluster/data" -m immediate stop >/dev/null
}

start_cluster() {
    # Like the embedded cluster: names sort by bytes, and letters outside ASCII are letters.
    as_owner "$bin/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --no-sync \
        --locale=C --lc-ctype=C.UTF-8 >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log" >&2; fail "initdb failed"; }
    as_owner "$bin/pg_ctl" -D "$cluster/data" -l "$cluster/log" -w -s \
        -o "-c listen_addresses= -c unix_socket_directories=$cluster -c fsync=off -c full_page_writes=off" start ||
        { cat "$cluster/log" >&2; fail "PostgreSQL did not start"; }
}
