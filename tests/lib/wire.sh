# shellcheck shell=bash
#
# wire.sh: an embedded Internet at the other end of a wire, so that what a
# prober sends can be captured: frames that leave through a packet socket past
# the queueing discipline are not shown to captures on their own machine.
# Source it after netns.sh.
#
#	. "$SRC/tests/lib/netns.sh"
#	. "$SRC/tests/lib/wire.sh"
#	ns_init
#	wire_up mon inet -o "rtt-hop 2ms"
#	wire_capture inet cap.pcap
#	ns_exec mon "$BIN/prober" ...
#	wire_capture_end            fails when the capture has lost something
#
#	mon eth0 198.51.100.2 ---- eth0 198.51.100.1 inet tun0 ---- fakenet
#	    2001:db8:1::2              2001:db8:1::1
#
# The far end is a Linux router: it is the first hop of every path.

WIRE_ADDR4=198.51.100.2
WIRE_ADDR6=2001:db8:1::2

# wire_up MON INET [fakenet's options]
wire_up() {
	wire_mon=$1
	shift
	ns_new "$wire_mon"
	fakenet_up "$@"
	ns_link "$wire_mon" eth0 "$1" eth0
	ns_exec "$1" ip -batch - <<-END || exit 111
	addr add 198.51.100.1/24 dev eth0
	addr add 2001:db8:1::1/64 dev eth0 nodad
	END
	ns_exec "$wire_mon" ip -batch - <<-END || exit 111
	addr add $WIRE_ADDR4/24 dev eth0
	addr add $WIRE_ADDR6/64 dev eth0 nodad
	route add default via 198.51.100.1
	route add ::/0 via 2001:db8:1::1
	END
}

# Begin to capture on eth0 of INET into FILE; returns when tcpdump listens.
wire_capture() {
	ns_start "$1" tcpdump -i eth0 -n -B 65536 -s 200 --immediate-mode -U \
	    -Z root -w "$2" 2>"$2.log"
	WIRE_PID=$NS_PID
	WIRE_LOG=$2.log
	wire_try=0
	until grep -q listening "$WIRE_LOG"; do
		wire_try=$((wire_try + 1))
		if [ $wire_try -gt 100 ]; then
			cat "$WIRE_LOG"
			exit 111
		fi
		sleep 0.1
	done
}

# End the capture.  A capture with holes proves nothing: the test ends.
wire_capture_end() {
	ns_stop "$WIRE_PID"
	if ! grep -q "^0 packets dropped by kernel" "$WIRE_LOG"; then
		echo "the capture lost packets:"
		cat "$WIRE_LOG"
		exit 111
	fi
}
