# shellcheck shell=sh
#
# netns.sh: network namespaces for tests.  Source it; it needs root.
#
#	. "$SRC/tests/lib/netns.sh"
#	ns_init                      temporary names and folder, cleanup at exit
#	fakenet_up mon -o "diamonds 0.2"
#	ns_exec mon ping -c 1 203.0.113.7
#
# Names are short and local to the test: `mon' becomes namespace t4711-mon, so
# that tests can run side by side.  Whatever was made is taken away at exit, also
# after a failure or a signal: the processes started here and those left inside
# the namespaces, by pid; the namespaces; the folder.
#
# Sets     NS_PREFIX  what namespace names begin with
#          NS_TMP     a temporary folder
#          NS_PID     the process that ns_start or fakenet_up started last
# Reads    BIN        the folder of programs (fakenet_up)

# Begin.  Extra work for the end of the test: ns_at_exit COMMAND...
ns_init() {
	NS_PREFIX=t$$
	NS_TMP=$(mktemp -d) || exit 111
	NS_NAMES=
	NS_PIDS=
	NS_EXIT=
	NS_PID=
	trap ns_cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

ns_at_exit() {
	NS_EXIT="$NS_EXIT
$*"
}

# Is process PID a child of this test?  One that has been waited for is not: its
# number may be somebody else's by now.
ns_is_child() {
	ns_stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	ns_stat=${ns_stat##*) ? }
	[ "${ns_stat%% *}" = $$ ]
}

# The exit status of the test is kept.
ns_cleanup() {
	ns_status=$?
	trap - EXIT
	trap '' HUP INT TERM
	eval "$NS_EXIT"
	for ns_i in $NS_NAMES; do
		ip netns pids "$ns_i" 2>/dev/null | xargs -r kill
	done
	for ns_i in $NS_PIDS; do
		ns_is_child "$ns_i" && kill "$ns_i" 2>/dev/null
	done
	wait
	# A process that is not our child may need a moment, or the hard way.
	for ns_i in $NS_NAMES; do
		ns_try=0
		while [ -n "$(ip netns pids "$ns_i" 2>/dev/null)" ]; do
			ns_try=$((ns_try + 1))
			if [ $ns_try -gt 20 ]; then
				ip netns pids "$ns_i" | xargs -r kill -9
			fi
			sleep 0.1
		done
		ip netns del "$ns_i"
	done
	rm -rf "$NS_TMP"
	exit "$ns_status"
}

# The full name of a namespace: for ip(8) and for messages.
ns() {
	echo "$NS_PREFIX-$1"
}

# Run a command in namespace NAME.
ns_exec() {
	ns_name=$NS_PREFIX-$1
	shift
	ip netns exec "$ns_name" "$@"
}

# The same in the background; its pid in NS_PID.  Standard input is the
# caller's: a shell would give /dev/null.
ns_start() {
	ns_name=$NS_PREFIX-$1
	shift
	ip netns exec "$ns_name" "$@" <&0 &
	NS_PID=$!
	NS_PIDS="$NS_PIDS $NS_PID"
}

# End what ns_start or fakenet_up started, and wait for it.
ns_stop() {
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	ns_rest=
	for ns_i in $NS_PIDS; do
		[ "$ns_i" = "$1" ] || ns_rest="$ns_rest $ns_i"
	done
	NS_PIDS=$ns_rest
}

# Make namespace NAME: loopback up, forwarding on, nothing that delays or
# withholds packets (reverse path filter, duplicate address detection, router
# solicitations, ICMP rate limits); everybody may ping.
ns_new() {
	ip netns add "$NS_PREFIX-$1" || exit 111
	NS_NAMES="$NS_NAMES $NS_PREFIX-$1"
	ns_exec "$1" sh -c '
	cd /proc/sys/net || exit 111
	echo 1 >ipv4/ip_forward
	echo 1 >ipv6/conf/all/forwarding
	echo 0 2147483647 >ipv4/ping_group_range
	echo 0 >ipv4/icmp_ratelimit
	echo 0 >ipv6/icmp/ratelimit
	# Global limits; older kernels show them in the first namespace only.
	[ ! -e ipv4/icmp_msgs_per_sec ] || echo 1000000 >ipv4/icmp_msgs_per_sec
	[ ! -e ipv4/icmp_msgs_burst ] || echo 100000 >ipv4/icmp_msgs_burst
	for i in all default; do
		echo 0 >ipv4/conf/$i/rp_filter
		echo 0 >ipv6/conf/$i/accept_dad
		echo 0 >ipv6/conf/$i/accept_ra
		echo 0 >ipv6/conf/$i/router_solicitations
	done
	ip link set lo up' || exit 111
}

# ns_link A IFA B IFB [MTU]: a veth pair between two namespaces, up, with
# real checksums (offloading would leave them to hardware that is not there).
ns_link() {
	ip -n "$NS_PREFIX-$1" link add "$2" type veth \
	    peer name "$4" netns "$NS_PREFIX-$3" || exit 111
	ns_link_end "$1" "$2" "${5:-1500}"
	ns_link_end "$3" "$4" "${5:-1500}"
}

ns_link_end() {
	ip -n "$NS_PREFIX-$1" link set "$2" mtu "$3" up || exit 111
	ns_exec "$1" ethtool -K "$2" rx off tx off >/dev/null || exit 111
}

# fakenet_up NAME [fakenet's options]: a namespace whose default routes lead
# into an embedded Internet behind tun0.  Its addresses are $FAKENET_ADDR4 and
# $FAKENET_ADDR6 (192.0.2.1 and 2001:db8::1 unless set before).  Returns when
# fakenet answers; its counters will be in $NS_TMP/NAME.stats when it ends or
# gets SIGUSR1.
fakenet_up() {
	fakenet_name=$1
	shift
	ns_new "$fakenet_name"
	mkfifo "$NS_TMP/$fakenet_name.ready" || exit 111
	# The child opens the pipe: here it would wait for itself.
	ip netns exec "$NS_PREFIX-$fakenet_name" "$BIN/fakenet" -d tun0 \
	    -s "$NS_TMP/$fakenet_name.stats" "$@" \
	    >"$NS_TMP/$fakenet_name.ready" &
	NS_PID=$!
	NS_PIDS="$NS_PIDS $NS_PID"
	if ! read -r _ <"$NS_TMP/$fakenet_name.ready"; then
		echo "fakenet did not start" >&2
		exit 111
	fi
	: "${FAKENET_ADDR4:=192.0.2.1}" "${FAKENET_ADDR6:=2001:db8::1}"
	ns_exec "$fakenet_name" ip -batch - <<-END || exit 111
	link set tun0 txqueuelen 10000 mtu 1500 up
	addr add $FAKENET_ADDR4/32 dev tun0
	addr add $FAKENET_ADDR6/128 dev tun0 nodad
	route add default dev tun0
	route add ::/0 dev tun0
	END
}
