# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# build/initrd: busybox, the modules that a kernel has not built in, and the init that mounts the root disk.
# Not compressed: unpacking costs guest time.

# A loop device is what cases of block devices have.
INITRD_MODULES="virtio_blk ext4 loop virtiofs"

# initrd_tree DIRECTORY IMAGE RELEASE: its files; /modules lists the modules in the order of their loading.
initrd_tree() {
	mkdir -p "$1/bin" "$1/dev" "$1/proc" "$1/new"
	cp build/root/bin/busybox "$1/bin/busybox"
	cp qemu-test/guest/initrd-init "$1/init"
	chmod 755 "$1/init"
	for module in $INITRD_MODULES; do
		scripts/in-root modprobe --show-depends -d "$2" -S "$3" "$module"
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
	touch "$1/modules"
}

# initrd_make INITRD IMAGE RELEASE
initrd_make() {
	rm -rf "$1.part"
	initrd_tree "$1.part" "$2" "$3"
	scripts/in-root sh -euc 'cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet' cpio "$PWD/$1.part" > "$1.new"
	rm -rf "$1.part"
	mv "$1.new" "$1"
	say "$1 is there"
}

setup_initrd() {
	newer build/initrd qemu-test/guest/initrd-init build/kernel-version scripts/setup.d/initrd.sh && return
	initrd_make build/initrd "$CACHE/kernel-$VERSION/image" "$VERSION"
}
