# shellcheck shell=bash
# A `clientele dev` for a script, with a temporary data folder. Sourced after lib.sh, never run.
#
# Sets $work, a temporary folder that the script may use too; start_dev sets $address.

start_timeout=120 # seconds until `dev` is ready, including initdb and the demo data
work="$(mktemp -d)"
chmod 711 "$work" # for root the embedded PostgreSQL runs as another user, which needs access to its data
export CLIENTELE_DATA_DIR="$work/data"
server=

at_exit() {
    local status=$?
    [[ -z "$server" ]] || kill -TERM "$server" 2>/dev/null || true
    [[ -z "$server" ]] || wait "$server" || true
    if [[ $status -ne 0 && -s "$work/stderr" ]]; then
        printf '\nThe end of the standard error of dev:\n' >&2
        tail -n 40 "$work/stderr" >&2
    fi
    rm -rf "$work"
    exit "$status"
}
trap at_exit EXIT
trap 'exit 130' INT TERM HUP

# start_dev LISTEN: starts dev and waits until it is ready.
start_dev() {
    local deadline
    cargo build --locked
    : >"$work/stdout"
    CLIENTELE_LISTEN="$1" cargo run --locked --quiet -- dev >"$work/stdout" 2>"$work/stderr" </dev/null &
    server=$!
    deadline=$((SECONDS + start_timeout))
    until address="$(sed -n 's/^ready on //p' "$work/stdout")" && [[ -n "$address" ]]; do
        kill -0 "$server" 2>/dev/null || fail "dev ended before it was ready"
        [[ $SECONDS -lt $deadline ]] || fail "dev did not print 'ready on ADDR' within $start_timeout s"
        sleep 0.1
    done
    echo "ready on $address"
}

# SIGTERM stops dev and everything that it started.
stop_dev() {
    local status=0
    kill -TERM "$server"
    wait "$server" || status=$?
    server=
    [[ $status -eq 0 ]] || fail "dev ended with exit code $status on SIGTERM"
    [[ "$(wc -l <"$work/stdout")" -eq 1 ]] || fail "dev must print one line on standard output, not: $(cat "$work/stdout")"
    ! command -v pgrep >/dev/null || ! pgrep -af "$work/data" || fail "dev left these processes running"
}

# expected EXPECTED OUTPUT: each line of the first file must be part of a line of the second, in order; … matches any text within a
# line, a line of only … matches any lines. Prints the first missing line, and fails.
expected() {
    awk '
        function tidy(line) { gsub(/[ \t\r]+/, " ", line); sub(/^ /, "", line); sub(/ $/, "", line); return line }
        function holds(line, wanted,    pieces, count, i, at) {
            count = split(wanted, pieces, "…")
            for (i = 1; i <= count; i++) {
                at = index(line, pieces[i])
                if (!at && pieces[i] != "") return 0
                if (pieces[i] != "") line = substr(line, at + length(pieces[i]))
            }
            return 1
        }
        FNR == NR { wanted[++many] = tidy($0); next }
        { have[++lines] = tidy($0) }
        END {
            at = 0
            for (w = 1; w <= many; w++) {
                if (wanted[w] == "" || wanted[w] == "…") continue
                do at++; while (at <= lines && !holds(have[at], wanted[w]))
                if (at > lines) { print "expected, but not printed (or not in this order): " wanted[w]; exit 1 }
            }
        }' "$1" "$2"
}
