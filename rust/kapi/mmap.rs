// SPDX-License-Identifier: GPL-2.0

//! Memory mappings of the page cache.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::{
    bindings,
    file::{File, FileOperations},
};
use kernel::{error::from_result, prelude::*};

/// The hooks of mappings. A constant, whose address is that of a static: C does not write to it.
const VM_OPS: bindings::vm_operations_struct = bindings::vm_operations_struct {
    close: Some(close),
    fault: Some(bindings::filemap_fault),
    map_pages: Some(bindings::filemap_map_pages),
    page_mkwrite: Some(page_mkwrite),
    ..pin_init::zeroed()
};

/// Maps a file.
///
/// # Safety
///
/// Called by the VFS with the description of a mapping of a file that the operations `K` opened, and whose inode
/// has a page cache.
pub(crate) unsafe extern "C" fn mmap_prepare<K: FileOperations>(
    desc: *mut bindings::vm_area_desc,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let (file, is_shared) = unsafe {
            (
                File::<K>::from_raw((*desc).file),
                bindings::vm_area_desc_is_shared(desc),
            )
        };
        K::mmap(&file, is_shared)?;
        // SAFETY: By the safety requirements.
        unsafe {
            bindings::vm_area_desc_limit_folios(desc);
            (*desc).vm_ops = &VM_OPS;
        }
        Ok(0)
    })
}

/// A page of a shared mapping is about to be written to for the first time since it was clean.
///
/// # Safety
///
/// Called by the memory management with a fault on a mapping that [`mmap_prepare`] prepared, and with a
/// referenced page of the file.
unsafe extern "C" fn page_mkwrite(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
    // SAFETY: By the safety requirements.
    unsafe { bindings::filemap_page_mkwrite_locked(vmf) }
}

/// A mapping goes. What was written to is written back, as it would be by `close(2)`.
///
/// # Safety
///
/// Called by the memory management with a mapping that [`mmap_prepare`] prepared.
unsafe extern "C" fn close(vma: *mut bindings::vm_area_struct) {
    // SAFETY: By the safety requirements; the mapping holds a reference to the file. Errors stay with the
    // file's mapping.
    unsafe { bindings::filemap_fdatawrite((*(*vma).vm_file).f_mapping) };
}
