# shellcheck shell=bash disable=SC2034  # the lists are for who sources this
#
# packages: what building, testing and the demonstration need of Debian 12, and
# one function that installs what is missing and only that.  Sourced by
# tests/run, tests/quickstart and tests/bench/run.
#
# When everything is there nothing is asked of the network and nothing printed.

# To build every program.
PACKAGES_BUILD=(build-essential cmake pkg-config libevent-dev zlib1g-dev
	libbz2-dev liblzma-dev libssl-dev)
# To run the embedded Internet and look at it.
PACKAGES_NET=(iproute2 nftables ethtool procps util-linux iputils-ping jq
	python3)
# To run all tests: the other programs we are compared with, and style.
PACKAGES_TEST=(libcmocka-dev clang clang-format libclang-rt-14-dev scamper
	tcpdump traceroute mandoc shellcheck strace gzip bzip2 xz-utils openssl
	valgrind spin)
# To measure, tests/bench/run: who is measured beside us, a compiler of programs
# for the kernel (BPF), plots.
PACKAGES_BENCH=(scamper clang gnuplot-nox tcpdump)

# Print those of the named packages that are not installed.
packages_missing() {
	local p status
	for p in "$@"; do
		status=$(dpkg-query -W -f='${db:Status-Status}' "$p" \
			2>/dev/null) || true
		[ "$status" = installed ] || printf '%s\n' "$p"
	done
}

# Install the missing ones of the named packages.  Returns non-zero, with a
# line that says what to do, when that cannot be done.
packages_need() {
	local missing log rc=0
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing packages; as root: apt-get update &&" \
			"apt-get install ${missing[*]}" >&2
		return 1
	fi
	echo "installing: ${missing[*]}"
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update >"$log" 2>&1 &&
		apt-get -q install -y --no-install-recommends \
			"${missing[@]}" >>"$log" 2>&1 </dev/null || rc=1
	[ $rc -eq 0 ] || cat "$log" >&2
	rm -f "$log"
	return $rc
}
