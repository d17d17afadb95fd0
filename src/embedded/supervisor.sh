# Runs PostgreSQL while its own standard input is open. Then it stops PostgreSQL and removes the temporary folder.
# Only one process has the other end of that pipe. When that process dies, in any way, the kernel closes the pipe.
#
# $1 temporary folder, removed at the end   $2 folder for a new cluster, or ''   $3 initdb   $4 its options
# The rest is PostgreSQL's command line. Prints "created" after initdb, waits for a line, then prints PostgreSQL's process id.

trap '' HUP INT TERM # a signal to all processes of a service must not end the one that cleans up
temp_dir=$1 new_data=$2 initdb=$3 options=$4
shift 4

end() {
    [ -z "$temp_dir" ] || rm -rf "$temp_dir"
    exit
}

if [ -n "$new_data" ]; then
    # unquoted: the options are constants without spaces
    "$initdb" -D "$new_data" $options >&2 </dev/null || end
    echo created
fi
read -r start || end

"$@" </dev/null &
postgres=$!
echo "$postgres"
exec >/dev/null # from here on only PostgreSQL's processes have the output pipe open: its end is their end

while read -r order; do
    [ "$order" = keep ] && temp_dir=
done

tries=0
while kill -s INT "$postgres" 2>/dev/null; do # repeated: a signal before its handler is installed is lost
    tries=$((tries + 1))
    case $tries in
        400) kill -s QUIT "$postgres" ;;
        600) kill -s KILL "$postgres" ;;
    esac
    sleep 0.05
done
end
