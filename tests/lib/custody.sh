# shellcheck shell=bash
#
# custody.sh: a monitor's spool, a data server and a central host in one
# temporary directory, for the tests of the way between them.  Source it.
#
#	$T/spool	the monitor's; $T/sock its data server
#	$T/centre	the central host's
#
# With OVER_TLS in the environment both sides have keys and speak TLS; $TLS is
# what a data server needs for that.
#
# Ends what it started and removes $T whatever happens.

# shellcheck disable=SC2034 # of those who source this
HELPER=$BIN/../helper
[ -d /dev/shm ] && [ -w /dev/shm ] && export TMPDIR=/dev/shm
T=$(mktemp -d)
pids=

# Is process PID a child of this test?  One that has been waited for is not: its
# number may be somebody else's by now.
our_child() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	read -r _ stat _ <<<"${stat##*) }"
	[ "$stat" = $$ ]
}

cleanup() {
	status=$?
	for p in $pids; do
		our_child "$p" || continue
		kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	for m in $(grep -o " $T/[^ ]*" /proc/mounts); do
		umount "$m"
	done
	rm -rf "$T"
	exit $status
}
trap cleanup EXIT
trap 'exit 1' INT TERM

fail() {
	echo "FAIL: $*" >&2
	[ -f "$T/server.log" ] && sed 's/^/server: /' "$T/server.log" | tail -5 >&2
	[ -f "$T/client.log" ] && sed 's/^/client: /' "$T/client.log" | tail -5 >&2
	exit 1
}

# until_true SECONDS COMMAND...: poll it.
until_true() {
	tries=$(($1 * 50))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.02
	done
}

# start_server [ARGS...]: sets $server and waits until it answers.
start_server() {
	# shellcheck disable=SC2086  # words
	"$BIN/dataserver" -d "$T/spool" -l "$T/sock" $TLS "$@" \
	    2>>"$T/server.log" &
	server=$!
	pids="$pids $server"
	until_true 60 listening || fail "data server does not listen"
}

listening() {
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])' "$T/sock" 2>/dev/null
}

stop() {
	our_child "$1" || return 0
	kill "${2:--TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

# One pass of the client and the sorter.
pass() {
	timeout 60 "$BIN/datacli" -1 -d "$T/centre" "$T/conf" 2>>"$T/client.log"
}

books() {
	"$SRC/tests/lib/books" "$T/centre" mon "$@" || fail "the books are wrong"
}

# Is every address of the cycle that mkspool probes accounted for, per list:
# COUNT asked, all of them archived?
account() {
	local list said n
	for ((list = 1; list <= $2; list++)); do
		said=$("$BIN/wartsview" --account $list 1700006400 \
		    -d "$T/centre" 2>&1) || fail "account: $said"
		n=$(($1 / $2))
		echo "$said" | grep -qx "mon: $n asked = $n archived" ||
		    fail "account: $said"
	done
}

TLS=
PIN=
[ -z "${OVER_TLS:-}" ] || {
	PIN=$("$BIN/dataserver" --make-key "$T/mon.key") || fail "no key"
	echo "peer centre $("$BIN/datacli" --make-key "$T/cen.key")" >"$T/peers"
	TLS="-K $T/mon.key -p $T/peers"
	echo "key $T/cen.key" >"$T/conf"
}
cat >>"$T/conf" <<CONF
monitor mon $T/sock $PIN
sorter $T/sorter
CONF
# The cycles of mkspool are long past: no file is closed for that.
echo 'grace 36500d' >"$T/datasort.conf"
cat >"$T/sorter" <<SORTER
#!/bin/sh
exec "$BIN/datasort" -c "$T/datasort.conf" "\$@"
SORTER
chmod +x "$T/sorter"
