# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The debug kernel: the stock kernel's source, configured by scripts/debug-kernel.config. It lies in the
# cache under a key of version and configuration, so it is built once for all clones:
#   source/   source and build, ready for building modules    image/   vmlinuz and modules
#   release   what `uname -r` says; exists when all is done
# An interrupted build goes on where it was. build/kernel-debug in the repository is a link to it.

DEBUG_CONFIG=scripts/debug-kernel.config

# KASAN with Rust needs Clang, whose LLVM is rustc's.
debug_make() {
	scripts/in-root make -C "$DEBUG/source" LLVM=1 -j"$(nproc)" "$@"
}

debug_source() {
	debs=$CACHE/debs-$VERSION
	if [ ! -e "$debs/version" ]; then
		say "downloads kernel $VERSION again: its source is gone from the cache (290 MB)"
		kernel_suite
		rm -rf "$debs"
		kernel_download "$debs"
	fi
	say "unpacks the source of $VERSION for the debug kernel (about 30 s)"
	rm -rf "$DEBUG/source" "$DEBUG/deb"
	mkdir -p "$DEBUG/deb" "$DEBUG/source"
	quietly build/log/debug-unpack.log scripts/in-root sh -euc '
		dpkg-deb -x "$1"/linux-source-*.deb "$2/deb"
		tar -xf "$2"/deb/usr/src/linux-source-*.tar.xz -C "$2/source" --strip-components=1' unpack "$debs" "$DEBUG"
	rm -rf "$DEBUG/deb"
	: > "$DEBUG/unpacked"
}

debug_configure() {
	quietly build/log/debug-config.log debug_make allnoconfig
	quietly build/log/debug-config.log scripts/in-root sh -euc '
		cd "$1/source" && scripts/kconfig/merge_config.sh -m .config "$2"' merge "$DEBUG" "$PWD/$DEBUG_CONFIG"
	quietly build/log/debug-config.log debug_make olddefconfig
	# Kconfig drops what it cannot have without a word.
	lost=$(grep -E '^CONFIG_.*=[ym]$' "$DEBUG_CONFIG" | grep -vxFf "$DEBUG/source/.config") || lost=
	[ -z "$lost" ] || fail "the debug kernel cannot have what $DEBUG_CONFIG asks for: $(echo "$lost" | tr '\n' ' ')"
	: > "$DEBUG/configured"
}

# Objects are needed no more; what modules are built with stays.
debug_tidy() {
	find "$DEBUG/source" \( -path "$DEBUG/source/tools" -o -path "$DEBUG/source/scripts" -o -path "$DEBUG/source/rust" \) \
		-prune -o -type f \( -name '*.o' -o -name '*.a' -o -name '*.ko' -o -name 'vmlinux*' -o -name '.*.cmd' \) \
		-exec rm -f {} +
}

debug_build() {
	say "builds the debug kernel (about 20 minutes on two processors; it is kept, and may be interrupted)"
	quietly build/log/debug-build.log debug_make bzImage modules
	rm -rf "$DEBUG/image"
	mkdir -p "$DEBUG/image"
	quietly build/log/debug-install.log debug_make INSTALL_MOD_PATH="$DEBUG/image" INSTALL_MOD_STRIP=1 modules_install
	cp "$DEBUG/source/arch/x86/boot/bzImage" "$DEBUG/image/vmlinuz"
	cp "$DEBUG/source/include/config/kernel.release" "$DEBUG/release.part"
	debug_tidy
	mv "$DEBUG/release.part" "$DEBUG/release"
}

setup_debug_kernel() {
	key=$(sed 's/#.*//' "$DEBUG_CONFIG" | sha256sum | cut -c1-12)
	DEBUG=$CACHE/kernel-debug-$VERSION-$key
	if [ ! -e "$DEBUG/release" ]; then
		mkdir -p "$DEBUG"
		[ -e "$DEBUG/unpacked" ] || debug_source
		[ -e "$DEBUG/configured" ] || debug_configure
		debug_build
		say "the debug kernel $(cat "$DEBUG/release") is ready"
	fi
	[ "$(readlink build/kernel-debug)" = "$DEBUG" ] || ln -sfn "$DEBUG" build/kernel-debug
	newer build/initrd-debug build/initrd "$DEBUG/release" ||
		initrd_make build/initrd-debug "$DEBUG/image" "$(cat "$DEBUG/release")"
}
