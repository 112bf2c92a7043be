# shellcheck shell=bash disable=SC2034  # some names are for who sources this
#
# conformance.sh: Debian's scamper and the Prober do the same commands, each in
# a network of its own, at the same time.  Source it in a test that
#
#	. "$SRC/tests/lib/conformance.sh"
#	conformance_prepare() { ... }	what both need, files pings and traces
#	conformance_one() { ... }	make a network, run $PROGRAM there
#	conformance_compare() { ... }	what they left
#	conformance "$@"
#
# runs itself twice, as `TEST theirs' and `TEST ours': that is $WHO; there
# $PROGRAM is the program and the working directory that of the test.  Whatever
# it leaves there for the comparison begins with $WHO.
#
# The networks are alike to the last address, so that all that differs is the
# programs.  But chance may have a part, too: on a machine that stalls for a
# moment an answer is late, or is taken for that to the next probe.  So what is
# not the same is done once more, alone: what
# conformance_compare leaves in pings.again and traces.again.
#
# CONFORMANCE_KEEP, a folder that does not exist, keeps captures and records.

# Make the two runs; returns when both are over, ends the test if one failed.
conformance_both() {
	# What waits begins first.
	{
		grep -e ' -w ' traces
		cat pings
		grep -v -e ' -w ' traces
	} >commands
	conformance_pids=
	for conformance_i in theirs ours; do
		"$conformance_test" $conformance_i &
		conformance_pids="$conformance_pids $!"
	done
	conformance_failed=0
	for conformance_i in $conformance_pids; do
		wait "$conformance_i" || conformance_failed=1
	done
	conformance_pids=
	[ $conformance_failed = 0 ] || exit 1
}

conformance() {
	WHO=${1-}
	PROGRAM=scamper
	[ "$WHO" != ours ] || PROGRAM=$BIN/prober
	if [ -n "$WHO" ]; then
		conformance_one
		exit
	fi
	conformance_dir=$(mktemp -d) || exit 111
	conformance_pids=
	trap conformance_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	conformance_test=$(realpath "$0")
	cd "$conformance_dir" || exit 111
	conformance_prepare
	conformance_both
	conformance_compare && exit 0
	echo "--- once more:"
	mv pings.again pings
	mv traces.again traces
	conformance_both
	conformance_compare
	exit
}

# Children that have not been waited for are still ours.
conformance_end() {
	conformance_status=$?
	trap - EXIT
	for conformance_i in $conformance_pids; do
		kill "$conformance_i" 2>/dev/null
	done
	wait
	[ -z "${CONFORMANCE_KEEP-}" ] ||
	    cp -r "$conformance_dir" "$CONFORMANCE_KEEP"
	cd /
	rm -rf "$conformance_dir"
	exit $conformance_status
}

# conformance_capture NAMESPACE DEVICE: into $WHO.pcap, what comes in there;
# behind the wire, as what leaves past the queue is not seen in front of it.
conformance_capture() {
	ns_start "$1" tcpdump -Q in -q -U -n --immediate-mode -B 65536 -s 9200 -Z root -i "$2" \
	    -w "$WHO.pcap" 2>"$WHO.tcpdump"
	CONFORMANCE_CAPTURE=$NS_PID
	until grep -q listening "$WHO.tcpdump"; do
		ns_is_child "$NS_PID" || { cat "$WHO.tcpdump"; exit 111; }
		sleep 0.05
	done
}

# conformance_capture_end NAMESPACE ROUTER: a last packet goes from there to the
# router that captures; when it is in the file, all are.  A capture with holes
# proves nothing.
conformance_capture_end() {
	ns_exec "$1" ping -c 1 -W 10 -p 656e642e "$2" >"$WHO.end" || {
		cat "$WHO.end"
		exit 111
	}
	until grep -q "end.end.end.end" "$WHO.pcap"; do
		ns_is_child "$CONFORMANCE_CAPTURE" || exit 111
		sleep 0.05
	done
	ns_stop "$CONFORMANCE_CAPTURE"
	if ! grep -q "^0 packets dropped by kernel" "$WHO.tcpdump"; then
		echo "the capture lost packets:"
		cat "$WHO.tcpdump"
		exit 111
	fi
}

# conformance_run NAMESPACE COMMANDS PPS: $WHO.warts and $WHO.json
conformance_run() {
	ns_exec "$1" "$PROGRAM" -O cmdfile -p "$3" -O warts -o "$WHO.warts" \
	    -f "$2" || exit 1
	sc_warts2json "$WHO.warts" >"$WHO.json" || exit 1
}
