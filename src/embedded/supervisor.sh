# Runs PostgreSQL for as long as its own standard input is open, then stops it and takes its room away.
# The other end of that pipe is held by one process alone: its death, however sudden, is the order to stop.
#
# $1 room, taken away at the end   $2 folder to make a cluster in, or ''   $3 initdb   $4 its options
# The rest is PostgreSQL's command line. Says "made" after initdb, then waits for a line; then says PostgreSQL's number.

trap '' HUP INT TERM # a stop that reaches every process of a service must not end the one that cleans up
room=$1 fresh=$2 initdb=$3 options=$4
shift 4

end() {
    [ -z "$room" ] || rm -rf "$room"
    exit
}

if [ -n "$fresh" ]; then
    # unquoted: the options are our own words
    "$initdb" -D "$fresh" $options >&2 </dev/null || end
    echo made
fi
read -r go || end

"$@" </dev/null &
postgres=$!
echo "$postgres"
exec >/dev/null # from here on only PostgreSQL's processes hold the pipe: its end is theirs

while read -r order; do
    [ "$order" = keep ] && room=
done

tries=0
while kill -s INT "$postgres" 2>/dev/null; do # again and again: one sent before it listens for signals is lost
    tries=$((tries + 1))
    case $tries in
        400) kill -s QUIT "$postgres" ;;
        600) kill -s KILL "$postgres" ;;
    esac
    sleep 0.05
done
end
