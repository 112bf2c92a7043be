#!/bin/sh
# A List Generator in a few lines of shell: one cycle over the addresses given
# as arguments.  See listgen(7); a List Manager sets SCAMPER_LIST.
list=${SCAMPER_LIST:-1}
cycle=$(date +%s)

echo "begin $list $cycle probe trace -P icmp-paris"
for address in "$@"; do
	echo "ip $address $list $cycle"
done
echo "end $list $cycle"
