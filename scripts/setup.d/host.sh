# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Packages of the host: only what makes a Debian tree and enters it.

setup_host() {
	missing=
	command -v mmdebstrap > /dev/null || missing="$missing mmdebstrap"
	[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
	command -v unshare > /dev/null || missing="$missing util-linux"
	[ -n "$missing" ] || return 0
	command -v apt-get > /dev/null ||
		fail "this host lacks$missing and has no apt-get: install them, then run 'make setup' again"
	say "installs with apt-get:$missing"
	# shellcheck disable=SC2086
	quietly build/log/apt-host.log $SUDO sh -euc '
		export DEBIAN_FRONTEND=noninteractive
		apt-get update && apt-get install -y --no-install-recommends "$@"' apt $missing
}
