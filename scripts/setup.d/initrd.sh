# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# build/initrd: busybox, the modules of the root disk and the init that mounts it. Not compressed: unpacking costs guest time.

INITRD_MODULES="virtio_blk ext4"

# initrd_tree DIRECTORY: its files; /modules lists the modules in the order of their loading.
initrd_tree() {
	mkdir -p "$1/bin" "$1/dev" "$1/proc" "$1/new"
	cp build/root/bin/busybox "$1/bin/busybox"
	cp qemu-test/guest/initrd-init "$1/init"
	chmod 755 "$1/init"
	for module in $INITRD_MODULES; do
		scripts/in-root modprobe --show-depends -d "$CACHE/kernel-$VERSION/image" -S "$VERSION" "$module"
	done | while read -r verb path rest; do
		if [ "$verb" != insmod ]; then
			continue
		fi
		name=${path##*/}
		name=${name%.xz}
		[ ! -e "$1/$name" ] || continue
		case $path in
		*.xz) scripts/in-root xz -dc "$path" > "$1/$name" ;;
		*) cp "$path" "$1/$name" ;;
		esac
		echo "/$name $rest" >> "$1/modules"
	done
}

setup_initrd() {
	newer build/initrd qemu-test/guest/initrd-init build/kernel-version scripts/setup.d/initrd.sh && return
	rm -rf build/initrd.part
	initrd_tree build/initrd.part
	scripts/in-root sh -euc 'cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet' cpio "$PWD/build/initrd.part" > build/initrd.new
	rm -rf build/initrd.part
	mv build/initrd.new build/initrd
	say "build/initrd is there"
}
