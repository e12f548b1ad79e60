# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# build/root: the Debian 13 tree with the toolchain, QEMU and the stock virtiofsd.

setup_root() {
	wanted=$(words scripts/setup.d/root.packages)
	if [ ! -d build/root ]; then
		say "makes the Debian tree build/root (about 2 minutes, 2 GB)"
		$SUDO rm -rf build/root.part
		# shellcheck disable=SC2086
		debian_tree build/root.part apt $wanted
		echo "$wanted" | $SUDO tee build/root.part/etc/rfuse-packages > /dev/null
		$SUDO mv build/root.part build/root
		say "build/root is there"
	elif [ "$wanted" != "$(cat build/root/etc/rfuse-packages)" ]; then
		say "brings build/root's packages up to date with scripts/setup.d/root.packages"
		# shellcheck disable=SC2086
		quietly build/log/apt-root.log scripts/in-root --as-root sh -euc '
			export DEBIAN_FRONTEND=noninteractive
			apt-get update && apt-get install -y --no-install-recommends "$@"' apt $wanted
		echo "$wanted" | $SUDO tee build/root/etc/rfuse-packages > /dev/null
	fi
}
