# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the steps of scripts/setup share. The caller's working directory is the repository.

CACHE=${RFUSE_CACHE:-$HOME/.cache/rfuse}
STARTED=$(date +%s)
SUDO=
[ "$(id -u)" -eq 0 ] || SUDO=sudo

# say TEXT: one line about the progress, with the seconds since the start.
say() {
	printf 'setup [%4d s] %s\n' "$(($(date +%s) - STARTED))" "$1"
}

fail() {
	printf 'setup: %s\n' "$1" >&2
	exit 1
}

# quietly LOG COMMAND...: runs COMMAND with its output in LOG and a sign of life every 20 seconds;
# the end of LOG is shown only when COMMAND fails.
quietly() {
	log=$1
	shift
	mkdir -p "${log%/*}"
	"$@" > "$log" 2>&1 &
	job=$!
	# A background job ignores SIGINT, and a job that lived on would collide with the next set-up.
	trap '$SUDO kill "$job" 2>/dev/null; wait "$job"; exit 130' INT TERM HUP
	(
		while sleep 20 && kill -0 "$job" 2>/dev/null; do
			say "  … $(tail -n 1 "$log" | tr '\r' '\n' | tail -n 1 | cut -c1-90)"
		done
	) 9>&- &
	ticker=$!
	status=0
	wait "$job" || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	trap - INT TERM HUP
	if [ "$status" -ne 0 ]; then
		tail -n 30 "$log" >&2
		fail "that failed with status $status; the whole log is $log; 'make setup' goes on from here"
	fi
}

# words FILE: the words of a list file, without its comments.
words() {
	sed 's/#.*//' "$1" | tr -s ' \t\n' ' '
}

# newer FILE OTHER...: whether FILE exists and is newer than each OTHER.
newer() {
	[ -e "$1" ] || return 1
	file=$1
	shift
	for other; do
		[ -n "$(find "$file" -newer "$other")" ] || return 1
	done
}

# debian_tree DIRECTORY VARIANT PACKAGE...: a Debian tree; the packages' files are kept in the cache.
debian_tree() {
	dir=$1 variant=$2
	shift 2
	archives=$CACHE/archives
	mkdir -p "$archives"
	quietly "build/log/mmdebstrap-${dir##*/}.log" $SUDO mmdebstrap --mode=root --variant="$variant" \
		--include="$(echo "$*" | tr ' ' ',')" \
		--aptopt='APT::Install-Recommends "false"' --skip=essential/unlink,download/empty \
		--setup-hook='mkdir -p "$1/var/cache/apt/archives"' \
		--setup-hook="sync-in '$archives' /var/cache/apt/archives" \
		--customize-hook="sync-out /var/cache/apt/archives '$archives'" \
		trixie "$dir" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
	$SUDO rm -rf "$archives/partial" "$archives/lock"
}
