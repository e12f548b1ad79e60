# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What a case in shell uses: KTAP results and mounting. A case begins with `. /rig/guest/lib.sh`
# and simply ends: the plan is written at its exit, and an early exit is a failure.

set -u
RIG_COUNT=0
RIG_FAILED=0
# shellcheck disable=SC2034
M=/mnt
RIG_OUT=$PWD/rig.out

rig_result() {
	RIG_COUNT=$((RIG_COUNT + 1))
	echo "$1 $RIG_COUNT - $2"
}

pass() {
	rig_result ok "$1"
}

# fails TEXT: a failed result.
fails() {
	RIG_FAILED=$((RIG_FAILED + 1))
	rig_result "not ok" "$1"
}

# check TEXT COMMAND…: passes when COMMAND does; its output is shown when it does not.
check() {
	rig_text=$1
	shift
	if "$@" > "$RIG_OUT" 2>&1; then
		pass "$rig_text"
	else
		fails "$rig_text"
		echo "# failed: $*"
		head -n 20 "$RIG_OUT" | sed 's/^/# /'
	fi
}

# refuse TEXT COMMAND…: passes when COMMAND fails.
refuse() {
	rig_text=$1
	shift
	if "$@" > "$RIG_OUT" 2>&1; then
		fails "$rig_text"
		echo "# succeeded: $*"
		head -n 20 "$RIG_OUT" | sed 's/^/# /'
	else
		pass "$rig_text"
	fi
}

# same TEXT GOT WANTED: passes when both are equal.
same() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fails "$1"
		printf '# got:    %s\n# wanted: %s\n' "$2" "$3" | head -n 40
	fi
}

# must COMMAND…: what the case stands on; ends it when that fails.
must() {
	if ! "$@"; then
		fails "$* (the case cannot go on)"
		exit 1
	fi
}

# skip REASON: leaves the whole case out.
skip() {
	echo "1..0 # SKIP $1"
	trap - EXIT
	exit 0
}

# progress TEXT: a line that a long form shows while it runs.
progress() {
	echo "# progress: $1"
}

# short_long SHORT LONG: the number that fits the form in which the case runs: that part of LONG that RIG_LONG
# (percent) asks for, 1 at the least.
short_long() {
	if [ -z "${RIG_LONG-}" ]; then
		echo "$1"
	elif [ $(($2 * RIG_LONG)) -lt 100 ]; then
		echo 1
	else
		echo $(($2 * RIG_LONG / 100))
	fi
}

# less NUMBER: so many, of which a slow kernel does its part.
less() {
	echo $((($1 + RIG_PATIENCE - 1) / RIG_PATIENCE))
}

# fsmount TAG DIRECTORY [MOUNT OPTION…]: mounts the file system under test.
fsmount() {
	rig_tag=$1 rig_dir=$2
	shift 2
	mount -t "$RIG_FS" "$@" "$rig_tag" "$rig_dir"
}

# bind_virtiofs: gives every virtio-fs device that no driver has to the kernel's own driver.
bind_virtiofs() {
	for rig_device in /sys/bus/virtio/devices/*; do
		if [ "$(cat "$rig_device/device")" = 0x001a ] && [ ! -e "$rig_device/driver" ]; then
			echo "${rig_device##*/}" > /sys/bus/virtio/drivers/virtiofs/bind || return 1
		fi
	done
}

# becomes WANTED COMMAND…: polls for 5 s (the timeouts are 1 s) until COMMAND prints WANTED.
becomes() {
	wanted=$1
	shift
	tries=50
	until [ "$("$@" 2> /dev/null)" = "$wanted" ]; do
		tries=$((tries - 1))
		if [ "$tries" -eq 0 ]; then
			echo "is: $("$@" 2>&1), should be: $wanted"
			return 1
		fi
		sleep 0.1
	done
}

# absent NAME: says so of a name that is not there, for `becomes`.
absent() {
	[ -e "$1" ] || echo absent
}

# centiseconds: time since boot in hundredths of a second.
centiseconds() {
	cut -d ' ' -f 1 /proc/uptime | tr -d .
}

rig_end() {
	rig_status=$?
	[ "$rig_status" -eq 0 ] || [ "$RIG_FAILED" -gt 0 ] || fails "ended early with status $rig_status"
	echo "1..$RIG_COUNT"
	[ "$RIG_FAILED" -eq 0 ] || exit 1
}
trap rig_end EXIT
echo "KTAP version 1"
