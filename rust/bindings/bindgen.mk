# SPDX-License-Identifier: GPL-2.0
#
# `bindgen` rules, after those of `rust/Makefile`, whose variables are out of reach here.

# The kernel is compiled by GCC or Clang, but `bindgen` only knows Clang's options. The list of
# GCC-only options is the kernel's own, read from its `rust/Makefile`.
ifdef CONFIG_CC_IS_CLANG
rfuse_bindgen_c_flags = $(c_flags)
else
bindgen_skip_c_flags := $(shell sed -n \
	'/^bindgen_skip_c_flags *:=/,/[^\\]$$/{s/^bindgen_skip_c_flags *:=//;s/\\$$//;p}' \
	$(srctree)/rust/Makefile)
rfuse_bindgen_c_flags = $(filter-out $(bindgen_skip_c_flags),$(c_flags)) \
	-w --target=x86_64-linux-gnu
endif

rfuse_bindgen_c_flags_final = $(filter-out $(CC_FLAGS_LTO),$(rfuse_bindgen_c_flags)) \
	-fno-builtin -D__BINDGEN__

quiet_cmd_rfuse_bindgen = BINDGEN [M] $@
      cmd_rfuse_bindgen = \
	$(BINDGEN) $< $(bindgen_target_flags) --rust-target 1.85 \
		--use-core --with-derive-default --ctypes-prefix ::kernel::ffi --no-layout-tests \
		--no-debug '.*' --enable-function-attribute-detection \
		-o $@ -- $(rfuse_bindgen_c_flags_final) -DMODULE \
		$(bindgen_target_cflags) $(bindgen_target_extra)

# Types the kernel's bindings know as forward declarations only, and the module by content.
rfuse_redefined_types := export_operations file_kattr file_lease file_lock fs_context fs_parameter \
	fs_parameter_spec iomap_ops io_uring_cmd kstatfs pipe_inode_info posix_acl

quiet_cmd_known_types = GEN     [M] $@
      cmd_known_types = awk -v redefine='$(rfuse_redefined_types)' \
	-f $(src)/rust/bindings/known_types.awk $< > $@

$(obj)/rust/bindings/known_types: $(objtree)/rust/bindings/bindings_generated.rs \
		$(src)/rust/bindings/known_types.awk FORCE
	$(call if_changed,known_types)

$(obj)/rust/bindings/bindings_generated.rs: private bindgen_target_flags = \
	$(shell grep -Ev '^#|^$$' $(srctree)/rust/bindgen_parameters) \
	$$(cat $(obj)/rust/bindings/known_types) \
	$(shell sed -E "/^#|^$$/d; s/^(--[^ ]+) (.*)$$/\1 '\2'/" $(src)/rust/bindings/parameters)
$(obj)/rust/bindings/bindings_generated.rs: private bindgen_target_extra = ; \
	sed -Ei 's/pub const RUST_CONST_HELPER_([a-zA-Z0-9_]*)/pub const \1/g' $@
$(obj)/rust/bindings/bindings_generated.rs: $(src)/rust/bindings/bindings_helper.h \
		$(src)/rust/bindings/parameters $(obj)/rust/bindings/known_types FORCE
	$(call if_changed_dep,rfuse_bindgen)

$(obj)/rust/bindings/helpers_generated.rs: private bindgen_target_flags = \
	--blocklist-type '.*' --allowlist-var '' --allowlist-function 'rfuse_helper_.*'
$(obj)/rust/bindings/helpers_generated.rs: private bindgen_target_cflags = \
	-Wno-missing-prototypes -Wno-missing-declarations
$(obj)/rust/bindings/helpers_generated.rs: private bindgen_target_extra = ; \
	sed -Ei 's/pub fn rfuse_helper_([a-zA-Z0-9_]*)/\#[link_name="rfuse_helper_\1"]\n    pub fn \1/g' $@
$(obj)/rust/bindings/helpers_generated.rs: $(src)/rust/helpers/helpers.c FORCE
	$(call if_changed_dep,rfuse_bindgen)
