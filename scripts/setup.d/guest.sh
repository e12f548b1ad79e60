# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# build/guest.ext4: the guest's root file system. Guests write to a snapshot, never to this file.

# The test users need shadow lines, or su refuses them without a word.
guest_users() {
	$SUDO sh -euc '
		cd "$1"
		echo "user:x:1000:1000::/home/user:/bin/sh
other:x:1001:1001::/home/other:/bin/sh" >> etc/passwd
		echo "user:x:1000:
other:x:1001:
shared:x:1002:user,other" >> etc/group
		echo "user:*:1::::::
other:*:1::::::" >> etc/shadow
		mkdir -p home/user home/other mnt rig
		chown 1000:1000 home/user
		chown 1001:1001 home/other
		ln -sf /proc/self/mounts etc/mtab
		echo rfuse > etc/hostname
		: > etc/fstab
		# stress-ng brings a graphics stack that it only needs the names of.
		rm -f usr/lib/*/libLLVM* usr/lib/*/libgallium*
		rm -rf usr/share/doc usr/share/locale usr/share/man var/cache/apt var/lib/apt/lists' users "$1"
}

setup_guest() {
	wanted=$(words scripts/setup.d/guest.packages)
	[ -e build/guest.ext4 ] && [ "$wanted" = "$(cat build/guest-packages 2>/dev/null)" ] && return
	say "makes the guest's image build/guest.ext4 (about 1 minute)"
	$SUDO rm -rf build/guest.part build/guest.ext4.part
	# shellcheck disable=SC2086
	debian_tree build/guest.part essential $wanted
	guest_users build/guest.part
	size=$($SUDO du -sm build/guest.part | cut -f1)
	quietly build/log/guest-image.log scripts/in-root --as-root sh -euc '
		mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -m 0 -d "$1" "$2" "$3M"
		chown "$4" "$2"' mke2fs build/guest.part build/guest.ext4.part $((size + 400)) "$(id -u):$(id -g)"
	$SUDO rm -rf build/guest.part
	mv build/guest.ext4.part build/guest.ext4
	echo "$wanted" > build/guest-packages
	say "build/guest.ext4 is there ($size MB)"
}
