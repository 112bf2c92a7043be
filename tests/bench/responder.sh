# shellcheck shell=bash
#
# responder.sh: an Internet inside the kernel at the other end of a wire, which
# nobody has to be woken for (responder.bpf.c).  Source it after netns.sh.
#
#	responder_up mon
#	ns_exec mon "$BIN/prober" ...
#	... | found.py "$RESPONDER_TRUTH"
#	responder_lost mon		replies that were lost, so far
#
#	mon eth0 192.0.2.1 ------------ r4711, an XDP program
#	    2001:db8::1                        |
#	      ^                                v  the kernel's thread napi/r4711-N,
#	      +---- receive (softirq) ---------+  on CPU 1: pid $RESPONDER_PID
#
# Whose time its work is: left alone, a veth pair does the receiver's work
# in the time of the sender's process.  Here the far end is polled, by a thread of
# its own on CPU 1, every 50 us: as with a network card, who sends puts packets
# into a ring, wakes nobody, and is done.  The replies go into the near end's
# ring, and the same thread's softirq carries them up to the sockets, as
# that of a card's interrupt would on the CPU that has it.  So the thread's time
# is the simulator's and the kernel's for receiving; what the process pays for is
# sending, being woken, and reading.
#
# Needs clang, and iproute2 with libbpf, as Debian's is.

declare -A RESPONDER_FAR
RESPONDER_N=0
RESPONDER_POLL_NS=50000
RESPONDER_ADDR4=192.0.2.1
RESPONDER_ADDR6=2001:db8::1
# shellcheck disable=SC2034  # for who sources this
RESPONDER_TRUTH=$(dirname "$BIN")/bench/responder

# Compile the program, once, without anything that libbpf would supply.
responder_compile() {
	[ -s "$NS_TMP/responder.o" ] && return
	clang -target bpf -ffreestanding -O2 -Wall -Wextra -Werror \
	    -Wno-address-of-packed-member -I "$SRC" \
	    -I "/usr/include/$(gcc -print-multiarch)" \
	    -c "$SRC/tests/bench/responder.bpf.c" -o "$NS_TMP/responder.o" ||
	    exit 111
}

# The thread that polls device $1.
responder_thread() {
	grep -l "^napi/$1-" /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3
}

# Have device $2 of namespace $1 polled by a thread on the last CPU.
responder_poll() {
	ns_exec "$1" sh -c "cd /sys/class/net/$2 && echo 1 >threaded &&
	    echo $RESPONDER_POLL_NS >gro_flush_timeout &&
	    echo 2147483647 >napi_defer_hard_irqs" || exit 111
	RESPONDER_PID=$(responder_thread "$2")
	if [ -z "$RESPONDER_PID" ]; then
		echo "no thread polls $2: Linux 5.12 or later is needed" >&2
		exit 111
	fi
	taskset -pc $(($(nproc) - 1)) "$RESPONDER_PID" >/dev/null
	# Before any program, as interrupts are: or its ring is full after 256
	# packets while others on that CPU have their slices of milliseconds.
	chrt -f -p 1 "$RESPONDER_PID"
}

# responder_up NAME [SECTION]: a namespace whose default routes lead there.
# SECTION silent: packets are taken and never answered.
responder_up() {
	local far
	RESPONDER_N=$((RESPONDER_N + 1))
	far=r$$-$RESPONDER_N
	RESPONDER_FAR[$1]=$far
	responder_compile
	ns_new "$1"
	ns_new "$1far"
	ns_link "$1" eth0 "$1far" $far
	ns_exec "$1" ip link set dev eth0 xdpdrv \
	    obj "$NS_TMP/responder.o" sec near || exit 111
	ns_exec "$1far" ip link set dev $far xdpdrv \
	    obj "$NS_TMP/responder.o" sec "${2:-xdp}" || exit 111
	responder_poll "$1far" $far
	ns_exec "$1" ip -batch - <<-END || exit 111
	addr add $RESPONDER_ADDR4/32 dev eth0
	addr add $RESPONDER_ADDR6/128 dev eth0 nodad
	route add 192.0.2.254 dev eth0
	route add default via 192.0.2.254 src $RESPONDER_ADDR4
	route add 2001:db8::fe dev eth0
	route add ::/0 via 2001:db8::fe src $RESPONDER_ADDR6
	neigh replace 192.0.2.254 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
	neigh replace 2001:db8::fe lladdr 02:00:00:00:00:01 dev eth0 nud permanent
	END
}

# Replies that found the near ring full, so far.  (A full ring on the way there
# is told to who sends.)
responder_lost() {
	ns_exec "$1far" ethtool -S "${RESPONDER_FAR[$1]}" |
	    awk '/xdp_tx_errors|xdp_xmit_errors/ { n += $2 } END { print n + 0 }'
}
