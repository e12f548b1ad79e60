# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The stock kernel of one version: image and modules to boot, and the source prepared with the
# package's own configuration to build against. All of it lies in the cache, under kernel-VERSION:
#   image/   the packages' files         source/   the prepared source
#   version  the package's version       build/kernel in the repository is a link to it

SUITE=trixie-backports

# Adds the suite by the tree's own mirror, so that DEBIAN_MIRROR counts here too.
kernel_suite() {
	list=build/root/etc/apt/sources.list.d/$SUITE.list
	if [ ! -e "$list" ]; then
		sed -n "s/^\(deb .*\) trixie main\$/\1 $SUITE main/p" build/root/etc/apt/sources.list |
			$SUDO tee "$list" > /dev/null
		[ -s "$list" ] || { $SUDO rm "$list"; fail "build/root/etc/apt/sources.list has no line for trixie main"; }
	fi
	quietly build/log/apt-update.log scripts/in-root --as-root apt-get update
}

# Every 7.3 kernel of the usual flavour that the archive has, oldest first.
kernel_offers() {
	scripts/in-root apt-cache search --names-only '^linux-image-[0-9].*-amd64$' |
		sed 's/^linux-image-\([^ ]*\) .*/\1/' |
		grep -E '^[0-9][^-]*(\+[^-]*)?-amd64$' | sort -V
}

# Sets VERSION: KERNEL_VERSION, or the newest of its series where the archive has dropped that one.
kernel_choose() {
	series=$(echo "$KERNEL_VERSION" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
	offers=$(kernel_offers)
	VERSION=$KERNEL_VERSION
	echo "$offers" | grep -qxF "$VERSION" && return
	VERSION=$(echo "$offers" | grep -F "$series." | tail -n 1)
	[ -n "$VERSION" ] || fail "$SUITE has no linux-image-$KERNEL_VERSION and no other $series; it offers:
$offers
name one by 'make KERNEL_VERSION=… setup'"
	say "$SUITE has no linux-image-$KERNEL_VERSION any more: takes $VERSION, its newest $series"
}

# kernel_download DIRECTORY: the .deb files. Split packages (base, binary, modules) are named by the image's Depends.
kernel_download() {
	mkdir -p "$1"
	quietly build/log/kernel-download.log scripts/in-root --as-root sh -euc '
		version=$1 series=$2 dir=$3
		package=$(apt-cache show "linux-headers-$version" | sed -n "s/^Version: //p" | head -n 1)
		parts=$(apt-cache depends "linux-image-$version" |
			sed -n "s/.*Depends: \(linux-\(base\|binary\|modules\)-[0-9].*\)/\1/p")
		cd "$dir"
		apt-get -o APT::Sandbox::User=root download "linux-image-$version" \
			"linux-headers-$version=$package" "linux-source-$series=$package" $parts
		chown "$4" ./*
		echo "$package" > version' \
		download "$VERSION" "$(echo "$VERSION" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')" "$1" "$(id -u):$(id -g)"
}

# kernel_unpack DEBS PART: image and source, with the package's configuration and symbols in the source.
kernel_unpack() {
	mkdir -p "$2/debs" "$2/source"
	for deb in "$1"/*.deb; do
		quietly build/log/kernel-unpack.log scripts/in-root dpkg-deb -x "$deb" "$2/debs"
	done
	quietly build/log/kernel-unpack.log scripts/in-root \
		sh -c 'tar -xf "$1"/usr/src/linux-source-*.tar.xz -C "$2" --strip-components=1' tar "$2/debs" "$2/source"
	headers=$2/debs/usr/src/linux-headers-$VERSION
	cp "$headers/.config" "$headers/Module.symvers" "$2/source/"
	cp "$headers/.config" "$2/config"
	mkdir "$2/image"
	for dir in boot lib usr/lib; do
		[ ! -d "$2/debs/$dir" ] || cp -al "$2/debs/$dir/." "$2/image/"
	done
	[ -e "$2/image/vmlinuz-$VERSION" ] || cp "$2/image/modules/$VERSION/vmlinuz" "$2/image/vmlinuz-$VERSION"
	mkdir -p "$2/image/lib"
	mv "$2/image/modules" "$2/image/lib/"
	scripts/in-root depmod -b "$2/image" "$VERSION"
}

# kernel_prepare PART: configures the source and makes what modules need; never the kernel itself.
kernel_prepare() {
	kmake="make -C $1/source CC=x86_64-linux-gnu-gcc-14 HOSTCC=gcc-14 KERNELRELEASE=$VERSION -j$(nproc)"
	# shellcheck disable=SC2086
	quietly build/log/kernel-config.log scripts/in-root $kmake olddefconfig
	if ! cmp -s "$1/config" "$1/source/.config"; then
		diff "$1/config" "$1/source/.config" | head -n 20 >&2 || true
		fail "the configuration of $VERSION changes under build/root's toolchain (above): a module built so may not load; 'make distclean setup' renews build/root, KERNEL_VERSION names another kernel"
	fi
	# shellcheck disable=SC2086
	quietly build/log/kernel-prepare.log scripts/in-root $kmake modules_prepare
}

kernel_make() {
	say "reads the package lists of $SUITE"
	kernel_suite
	kernel_choose
	if [ ! -d "$CACHE/kernel-$VERSION" ]; then
		part=$CACHE/kernel-$VERSION.part debs=$CACHE/debs-$VERSION
		rm -rf "$part"
		if [ ! -e "$debs/version" ]; then
			say "downloads kernel $VERSION: image, headers, source (290 MB)"
			rm -rf "$debs"
			kernel_download "$debs"
		fi
		say "unpacks kernel $VERSION (about 30 s)"
		kernel_unpack "$debs" "$part"
		say "prepares its source for building modules (about 80 s)"
		kernel_prepare "$part"
		cp "$debs/version" "$part/version"
		rm -rf "$part/debs"
		mv "$part" "$CACHE/kernel-$VERSION"
	fi
	ln -sfn "$CACHE/kernel-$VERSION" build/kernel
	echo "$KERNEL_VERSION $VERSION" > build/kernel-version.part
	mv build/kernel-version.part build/kernel-version
	say "kernel $VERSION ($(cat build/kernel/version)) is ready"
}

setup_kernel() {
	: "${KERNEL_VERSION:?is set by the Makefile: run make setup}"
	if [ -e build/kernel-version ]; then
		read -r asked VERSION < build/kernel-version
		[ "$asked" = "$KERNEL_VERSION" ] && [ -e "$CACHE/kernel-$VERSION/version" ] &&
			[ "$(readlink build/kernel)" = "$CACHE/kernel-$VERSION" ] && return
	fi
	if [ -e "$CACHE/kernel-$KERNEL_VERSION/version" ]; then
		VERSION=$KERNEL_VERSION
		ln -sfn "$CACHE/kernel-$VERSION" build/kernel
		echo "$KERNEL_VERSION $VERSION" > build/kernel-version
		say "kernel $VERSION is in the cache"
		return
	fi
	kernel_make
}
