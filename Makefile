# SPDX-License-Identifier: GPL-2.0

# The stock kernel to build for and to test on: the one place that names it.
KERNEL_VERSION ?= 7.3.4+deb13-amd64
# Another prepared kernel tree to build against (the module then is for that kernel).
KDIR ?=
# Where downloads and the prepared kernel are kept, for all clones.
RFUSE_CACHE ?= $(HOME)/.cache/rfuse
# Chosen cases (T=mount,walk), a list of them (LIST=1), the file system under test (FS=virtiofs).
T ?=
LIST ?=
FS ?= rfuse
# Length of `make test-long` in percent.
LENGTH ?= 100
# What `make bench` measures, and how: see the README.
JOBS ?=
OPS ?=
QUICK ?=
HIST ?=
ROUNDS ?=
CPUS ?=
# Damage by the hostile server: seeds (1,2,3), damaged answers of each, seconds in all.
# Options of its plan (DAMAGE="--only never,size --rate 50").
SEED ?= $(RFUSE_SEED)
ANSWERS ?=
DAMAGE ?=
# Kernel to test on: stock or debug.
KERNEL ?= stock
# What `make shell` shares with its guest.
SHARE ?=
# Seconds for each fuzz target (60) or of damage, one target alone, the input of a finding, targets at a time (1 or 2).
SECS ?=
TARGET ?=
INPUT ?=
FUZZ_JOBS ?= 1

export KERNEL_VERSION KDIR RFUSE_CACHE

comma := ,
in_root := scripts/in-root
as_root := scripts/in-root --as-root
workspaces := $(patsubst %/Cargo.toml,%,$(wildcard rust/proto/Cargo.toml rust/proto/fuzz/Cargo.toml \
	tools/Cargo.toml qemu-test/hostile/Cargo.toml))
crates := $(wildcard rust/rfuse/main.rs rust/kapi/lib.rs rust/proto/lib.rs)
# Rust files outside of the kernel's crates.
host_rust = $$(find tools rust/proto/fuzz qemu-test -name '*.rs' -not -path '*/target/*')
rustfmt = rustfmt --config-path $$(readlink -f build/kernel/source)/.rustfmt.toml
damage = $(foreach name,SEED ANSWERS SECS DAMAGE,$(if $($(name)),--set 'RFUSE_$(name)=$($(name))'))
# Needed by a build against set-up's own kernel only.
ready := $(if $(KDIR),,setup)
modules := $(if $(filter debug,$(KERNEL)),module-debug rig-modules-debug,module rig-modules)
built := $(if $(filter debug,$(KERNEL)),debug-kernel) suites hostile tools $(if $(filter rfuse,$(FS)),$(modules))
debug_source = $$(readlink -f build/kernel-debug)/source

.PHONY: $(shell sed -n "s/^\([a-z-]*\):.*/\1/p" $(firstword $(MAKEFILE_LIST)))

module: $(ready) ## build/module/rfuse.ko (default); KDIR=/path builds against that kernel tree
	@scripts/kbuild build/module

module-debug: debug-kernel ## build/module-debug/rfuse.ko, for the debug kernel
	@KDIR=$(debug_source) scripts/kbuild build/module-debug

rig-modules: setup
	@scripts/kbuild --source qemu-test/modules build/rig-modules

rig-modules-debug: debug-kernel
	@KDIR=$(debug_source) scripts/kbuild --source qemu-test/modules build/rig-modules-debug

tools: setup ## mount.rfuse, rfuse-run, rfusestat
	@$(in_root) cargo build --quiet --release --manifest-path tools/Cargo.toml

hostile: setup ## the virtio-fs server of the tests that lies
	@$(in_root) cargo build --quiet --release --manifest-path qemu-test/hostile/Cargo.toml

suites: setup ## the test suites of crates.io and the examples of libfuse that cases call
	@scripts/suites
	@scripts/libfuse

setup: ## whatever is missing: Debian tree, kernel, guest image (KERNEL_VERSION=…, RFUSE_CACHE=…)
	@scripts/setup

debug-kernel: setup ## the debug kernel (KASAN, lockdep, …): built once, kept in RFUSE_CACHE
	@scripts/setup debug-kernel

test: setup $(built) ## all cases in QEMU and the host's tests; T=name,name, LIST=1, KERNEL=debug, FS=virtiofs
	@$(as_root) qemu-test/run --kernel $(KERNEL) --fs $(FS) $(damage) $(if $(LIST),--list) $(subst $(comma), ,$(T))

test-long: setup $(built) ## the long forms of the cases that have one, below an hour; SEED=n, LENGTH=10 (percent), T=, LIST=1, KERNEL=, FS= as above
	@$(as_root) qemu-test/run --long $(LENGTH) --kernel $(KERNEL) --fs $(FS) $(damage) $(if $(LIST),--list) $(subst $(comma), ,$(T))

bench-programs: setup
	@$(in_root) make --no-print-directory -s -C qemu-test/bench OUT=$(abspath build/bench/bin)
	@scripts/kbuild --source qemu-test/bench/modules build/bench/modules -s
	@scripts/libfuse

bench: setup module tools bench-programs ## rfuse beside the C client; JOBS=insn|time|scaling|through|device OPS=name,… QUICK=1 HIST=1 ROUNDS=n CPUS=n LIST=1
	@$(as_root) qemu-test/benchmark $(if $(LIST),--list) $(if $(QUICK),--quick) $(if $(HIST),--hist) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(OPS),--ops $(OPS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(CPUS),--cpus $(CPUS)) --version $(shell git describe --always --dirty 2> /dev/null || echo unknown)

demo: setup module tools ## mounts a real tree in a guest and compares it with the host's
	@$(as_root) qemu-test/demo

shell: setup module tools ## a guest on this terminal, with SHARE=folder (read-only /usr/share) at /mnt
	@RFUSE_BIND=$(abspath $(SHARE)) $(as_root) qemu-test/shell $(abspath $(SHARE))

check: setup module ## the host's tests, and that the safe crates hold no unsafe code
	@scripts/check-unsafe
	@$(in_root) scripts/check-order build/module
	@for dir in bench rig; do $(in_root) sh -c "cd qemu-test && python3 -m unittest discover -s $$dir -t ." || exit 1; done
	@for dir in $(workspaces); do $(in_root) sh -c "cd $$dir && cargo test --quiet" || exit 1; done

fuzz: setup $(built) ## damaged answers without end, each round by a new seed: SEED=n ANSWERS=n SECS=n KERNEL=debug
	@$(as_root) qemu-test/fuzz --kernel $(KERNEL) $(if $(SEED),--seed $(SEED)) $(if $(ANSWERS),--answers $(ANSWERS)) \
		$(if $(SECS),--secs $(SECS)) $(if $(DAMAGE),--damage='$(DAMAGE)')

fuzz-host: setup ## fuzzes the parsers of proto: SECS=60 a target, FUZZ_JOBS=2, TARGET=name, INPUT=file (a finding)
	@$(in_root) scripts/fuzz --secs $(or $(SECS),60) --jobs $(FUZZ_JOBS) $(if $(INPUT),--input $(INPUT)) $(TARGET)

clippy: $(ready) ## clippy for the module, proto and tools; a warning is an error
	@scripts/kbuild build/clippy CLIPPY=1 KRUSTFLAGS=-Dwarnings
	@for dir in $(workspaces); do $(in_root) sh -c \
		"cd $$dir && cargo clippy --quiet --all-targets -- -D warnings" || exit 1; done

fmt: setup ## formats all Rust code as the kernel's
	@$(in_root) $(rustfmt) $(crates) $(host_rust)

fmt-check: setup ## tells whether `make fmt` would change anything
	@$(in_root) $(rustfmt) --check $(crates) $(host_rust)

doc: $(ready) ## rustdoc of the three crates and the tools
	@scripts/kbuild build/doc RFUSE_DOC=1
	@for dir in $(workspaces); do $(in_root) sh -c "cd $$dir && cargo doc --quiet --no-deps" || exit 1; done

shellcheck: setup ## shellcheck of every shell script
	@$(in_root) scripts/shellcheck

clean: ## removes what was built, not what was set up
	@$(if $(filter 0,$(shell id -u)),,sudo) rm -rf build/module build/module-debug build/rig-modules* build/clippy build/doc build/cargo build/test build/bench

distclean: ## removes build altogether; the cache stays
	@$(if $(filter 0,$(shell id -u)),,sudo) rm -rf --one-file-system build

distclean-cache: distclean ## removes the cache too (for all clones)
	@$(if $(filter 0,$(shell id -u)),,sudo) rm -rf --one-file-system $(RFUSE_CACHE)

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1#\2/p' Makefile | while IFS='#' read -r target text; do \
		printf '%-24s%s\n' "$$target" "$$text"; done
