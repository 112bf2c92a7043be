#!/bin/sh
# linuxnet.sh: fourteen Linux routers in namespaces, for what a simulator
# cannot prove.  Needs root.
#
#	tests/net/linuxnet.sh [COMMAND ...]     run a command (a shell) in `mon'
#
# or, from a test:
#
#	. "$SRC/tests/lib/netns.sh"; ns_init
#	. "$SRC/tests/net/linuxnet.sh"; linuxnet_up
#	ns_exec mon traceroute -n "$LN_DST4"
#
#	             .- r2a -.          .-(1400)- r4 ------------------- dst
#	mon --- r1 -<         >--- r3 -<--- r5 silent --- r6 ----------- quiet
#	             `- r2b -'          |-- r7 mute -(1400)- r8 -------- hole
#	                                |          .- r10a -.
#	                                `-- r9 ---<-- r10b -->-- r11 --- wide
#	                                           `- r10c -'
#
# r1 and r9 choose by addresses and ports (UDP, TCP; ICMP by addresses alone).
# r5 sends no ICMP at all.  r7 sends none that tells of a packet too big for its
# link to r8.  r9 answers for two more prefixes: prohibited and unreachable.
# dst has a web server on port 80.
#
# Link N has 192.0.2.(4N+1) and (4N+2) /30, and 2001:db8:0:M::1 and ::2 /64:
#
#	N    0       1       2       3       4       5      6      7      8
#	     mon-r1  r1-r2a  r1-r2b  r2a-r3  r2b-r3  r3-r4  r3-r5  r5-r6  r3-r7
#	M    1       2       3       4       5       6      16     17     18
#	N    9       10      11-13   14-16
#	     r7-r8   r3-r9   r9-r10  r10-r11
#	M    19      1a      1b-1d   1e-20
#
# Sets, for T in DST QUIET HOLE WIDE:  LN_T4 and LN_T6  addresses of a host
#       LN_PROHIBITED4/6 LN_UNREACHABLE4/6               refused by r9
#       LN_ADDR   a file "ADDRESS NODE", one line per address of every node

LN_ROUTERS="r1 r2a r2b r3 r4 r5 r6 r7 r8 r9 r10a r10b r10c r11"
LN_HOSTS="mon dst quiet hole wide"

# linuxnet_addr NODE DEVICE ADDRESS/LEN...
linuxnet_addr() {
	ln_node=$1 ln_dev=$2
	shift 2
	for ln_a; do
		ip -n "$(ns "$ln_node")" addr add "$ln_a" dev "$ln_dev" ||
		    exit 111
		echo "${ln_a%/*} $ln_node" >>"$LN_ADDR"
	done
}

# linuxnet_link A B N M [MTU]: the devices are named for the other end.
linuxnet_link() {
	ns_link "$1" "to-$2" "$2" "to-$1" "${5:-1500}"
	linuxnet_addr "$1" "to-$2" "192.0.2.$((4 * $3 + 1))/30" \
	    "2001:db8:0:$4::1/64"
	linuxnet_addr "$2" "to-$1" "192.0.2.$((4 * $3 + 2))/30" \
	    "2001:db8:0:$4::2/64"
}

# linuxnet_lan ROUTER HOST C M: 198.51.C.0/24 and 2001:db8:0:M::/64; the host
# has .10 and .11, ::10 and ::11.
linuxnet_lan() {
	ns_link "$1" "to-$2" "$2" "to-$1"
	linuxnet_addr "$1" "to-$2" "198.51.$3.1/24" "2001:db8:0:$4::1/64"
	linuxnet_addr "$2" "to-$1" "198.51.$3.10/24" "198.51.$3.11/24" \
	    "2001:db8:0:$4::10/64" "2001:db8:0:$4::11/64"
	linuxnet_route "$2" default "198.51.$3.1" "2001:db8:0:$4::1"
}

# linuxnet_route NODE PREFIXES VIA4 VIA6 [VIA4 VIA6 ...]: PREFIXES is `default'
# or "PREFIX4 PREFIX6"; several gateways share the load.
linuxnet_route() {
	ln_node=$(ns "$1") ln_p4=${2% *} ln_p6=${2#* } ln_4='' ln_6=''
	shift 2
	while [ $# -gt 0 ]; do
		ln_4="$ln_4 nexthop via $1" ln_6="$ln_6 nexthop via $2"
		shift 2
	done
	# Word splitting is wanted: nexthop via A nexthop via B.
	ip -n "$ln_node" route add "$ln_p4" $ln_4 || exit 111
	ip -n "$ln_node" -6 route add "$ln_p6" $ln_6 || exit 111
}

linuxnet_links() {
	linuxnet_link mon r1 0 1
	linuxnet_link r1 r2a 1 2
	linuxnet_link r1 r2b 2 3
	linuxnet_link r2a r3 3 4
	linuxnet_link r2b r3 4 5
	linuxnet_link r3 r4 5 6 1400
	linuxnet_link r3 r5 6 16
	linuxnet_link r5 r6 7 17
	linuxnet_link r3 r7 8 18
	linuxnet_link r7 r8 9 19 1400
	linuxnet_link r3 r9 10 1a
	linuxnet_link r9 r10a 11 1b
	linuxnet_link r9 r10b 12 1c
	linuxnet_link r9 r10c 13 1d
	linuxnet_link r10a r11 14 1e
	linuxnet_link r10b r11 15 1f
	linuxnet_link r10c r11 16 20
	linuxnet_lan r4 dst 100 7
	linuxnet_lan r6 quiet 101 8
	linuxnet_lan r8 hole 102 9
	linuxnet_lan r11 wide 105 a
}

# r1, r2a and r2b have their default route outwards, all others inwards.
linuxnet_routes() {
	ln_mon="192.0.2.0/30 2001:db8:0:1::/64"
	linuxnet_route mon default 192.0.2.2 2001:db8:0:1::2
	linuxnet_route r1 default 192.0.2.6 2001:db8:0:2::2 \
	    192.0.2.10 2001:db8:0:3::2
	linuxnet_route r2a default 192.0.2.14 2001:db8:0:4::2
	linuxnet_route r2a "$ln_mon" 192.0.2.5 2001:db8:0:2::1
	linuxnet_route r2b default 192.0.2.18 2001:db8:0:5::2
	linuxnet_route r2b "$ln_mon" 192.0.2.9 2001:db8:0:3::1
	linuxnet_route r3 default 192.0.2.13 2001:db8:0:4::1 \
	    192.0.2.17 2001:db8:0:5::1
	linuxnet_route r3 "198.51.100.0/24 2001:db8:0:7::/64" \
	    192.0.2.22 2001:db8:0:6::2
	linuxnet_route r3 "198.51.101.0/24 2001:db8:0:8::/64" \
	    192.0.2.26 2001:db8:0:16::2
	linuxnet_route r3 "192.0.2.28/30 2001:db8:0:17::/64" \
	    192.0.2.26 2001:db8:0:16::2
	linuxnet_route r3 "198.51.102.0/24 2001:db8:0:9::/64" \
	    192.0.2.34 2001:db8:0:18::2
	linuxnet_route r3 "192.0.2.36/30 2001:db8:0:19::/64" \
	    192.0.2.34 2001:db8:0:18::2
	for ln_i in "198.51.103.0/24 2001:db8:0:c::/64" \
	    "198.51.104.0/24 2001:db8:0:d::/64" \
	    "198.51.105.0/24 2001:db8:0:a::/64" \
	    "192.0.2.44/30 2001:db8:0:1b::/64" \
	    "192.0.2.48/30 2001:db8:0:1c::/64" \
	    "192.0.2.52/30 2001:db8:0:1d::/64" \
	    "192.0.2.56/30 2001:db8:0:1e::/64" \
	    "192.0.2.60/30 2001:db8:0:1f::/64" \
	    "192.0.2.64/30 2001:db8:0:20::/64"; do
		linuxnet_route r3 "$ln_i" 192.0.2.42 2001:db8:0:1a::2
	done
	linuxnet_route r4 default 192.0.2.21 2001:db8:0:6::1
	linuxnet_route r5 default 192.0.2.25 2001:db8:0:16::1
	linuxnet_route r5 "198.51.101.0/24 2001:db8:0:8::/64" \
	    192.0.2.30 2001:db8:0:17::2
	linuxnet_route r6 default 192.0.2.29 2001:db8:0:17::1
	linuxnet_route r7 default 192.0.2.33 2001:db8:0:18::1
	linuxnet_route r7 "198.51.102.0/24 2001:db8:0:9::/64" \
	    192.0.2.38 2001:db8:0:19::2
	linuxnet_route r8 default 192.0.2.37 2001:db8:0:19::1
	linuxnet_route r9 default 192.0.2.41 2001:db8:0:1a::1
	linuxnet_route r9 "198.51.105.0/24 2001:db8:0:a::/64" \
	    192.0.2.46 2001:db8:0:1b::2 192.0.2.50 2001:db8:0:1c::2 \
	    192.0.2.54 2001:db8:0:1d::2
	linuxnet_route r9 "192.0.2.56/30 2001:db8:0:1e::/64" \
	    192.0.2.46 2001:db8:0:1b::2
	linuxnet_route r9 "192.0.2.60/30 2001:db8:0:1f::/64" \
	    192.0.2.50 2001:db8:0:1c::2
	linuxnet_route r9 "192.0.2.64/30 2001:db8:0:20::/64" \
	    192.0.2.54 2001:db8:0:1d::2
	linuxnet_route r10a default 192.0.2.45 2001:db8:0:1b::1
	linuxnet_route r10a "198.51.105.0/24 2001:db8:0:a::/64" \
	    192.0.2.58 2001:db8:0:1e::2
	linuxnet_route r10b default 192.0.2.49 2001:db8:0:1c::1
	linuxnet_route r10b "198.51.105.0/24 2001:db8:0:a::/64" \
	    192.0.2.62 2001:db8:0:1f::2
	linuxnet_route r10c default 192.0.2.53 2001:db8:0:1d::1
	linuxnet_route r10c "198.51.105.0/24 2001:db8:0:a::/64" \
	    192.0.2.66 2001:db8:0:20::2
	linuxnet_route r11 default 192.0.2.57 2001:db8:0:1e::1 \
	    192.0.2.61 2001:db8:0:1f::1 192.0.2.65 2001:db8:0:20::1
}

# What makes some of the routers special.
linuxnet_special() {
	for ln_i in $LN_ROUTERS; do
		ns_exec "$ln_i" sh -c 'cd /proc/sys/net &&
		echo 1 >ipv4/fib_multipath_hash_policy &&
		echo 1 >ipv6/fib_multipath_hash_policy &&
		echo 1 >ipv4/icmp_errors_use_inbound_ifaddr' || exit 111
	done
	ns_exec r5 nft -f - <<-'END' || exit 111
	table inet silent {
		chain out {
			type filter hook output priority 0
			meta l4proto icmp drop
			icmpv6 type { destination-unreachable, packet-too-big,
			    time-exceeded, parameter-problem, echo-reply } drop
		}
	}
	END
	ns_exec r7 nft -f - <<-'END' || exit 111
	table inet mute {
		chain out {
			type filter hook output priority 0
			icmp type destination-unreachable icmp code \
			    frag-needed drop
			icmpv6 type packet-too-big drop
		}
	}
	END
	# Refused before the TTL is looked at, as by a missing route; but the
	# kernel limits the rate of what its routes say.
	ns_exec r9 nft -f - <<-'END' || exit 111
	table inet refuse {
		chain in {
			type filter hook prerouting priority 0
			ip daddr 198.51.103.0/24 \
			    reject with icmpx admin-prohibited
			ip6 daddr 2001:db8:0:c::/64 \
			    reject with icmpx admin-prohibited
			ip daddr 198.51.104.0/24 \
			    reject with icmpx host-unreachable
			ip6 daddr 2001:db8:0:d::/64 \
			    reject with icmpx host-unreachable
		}
	}
	END
}

linuxnet_server() {
	mkdir "$NS_TMP/www" && mkfifo "$NS_TMP/www.ready" || exit 111
	# The child opens the pipe: here it would wait for itself.
	ip netns exec "$(ns dst)" python3 -u -m http.server 80 --bind :: \
	    --directory "$NS_TMP/www" >"$NS_TMP/www.ready" 2>/dev/null &
	NS_PIDS="$NS_PIDS $!"
	if ! read -r _ <"$NS_TMP/www.ready"; then
		echo "the web server did not start" >&2
		exit 111
	fi
}

# Make all of it.  After ns_init.
# shellcheck disable=SC2034  # the names are for who sources this
linuxnet_up() {
	LN_ADDR=$NS_TMP/linuxnet.addr
	for ln_i in $LN_HOSTS $LN_ROUTERS; do
		ns_new "$ln_i"
	done
	linuxnet_links
	linuxnet_routes
	linuxnet_special
	linuxnet_server
	LN_DST4=198.51.100.10 LN_DST6=2001:db8:0:7::10
	LN_QUIET4=198.51.101.10 LN_QUIET6=2001:db8:0:8::10
	LN_HOLE4=198.51.102.10 LN_HOLE6=2001:db8:0:9::10
	LN_WIDE4=198.51.105.10 LN_WIDE6=2001:db8:0:a::10
	LN_PROHIBITED4=198.51.103.10 LN_PROHIBITED6=2001:db8:0:c::10
	LN_UNREACHABLE4=198.51.104.10 LN_UNREACHABLE6=2001:db8:0:d::10
}

if [ "${0##*/}" = linuxnet.sh ]; then
	. "$(dirname "$0")/../lib/netns.sh"
	ns_init
	linuxnet_up
	set | grep '^LN_[A-Z]*[46]='
	ns_exec mon "${@:-${SHELL:-/bin/sh}}"
fi
