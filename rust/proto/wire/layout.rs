// SPDX-License-Identifier: GPL-2.0

//! Sizes of the wire structures, and the list by which another crate checks them against the header.

use super::*;

/// Calls the macro `$check` once with all wire structures: `Rust = c_name, size { field, … }; …`.
///
/// A crate that has bindgen's view of `linux/fuse.h` compares sizes and offsets with it:
///
/// ```
/// macro_rules! check {
///     ($($rust:ident = $c:ident, $size:literal { $($field:ident),* };)*) => {
///         $(const _: () = assert!(size_of::<rfuse_proto::wire::$rust>() == $size);)*
///     };
/// }
/// rfuse_proto::wire_layout!(check);
/// ```
#[macro_export]
macro_rules! wire_layout {
    ($check:ident) => {
        $check! {
            InHeader = fuse_in_header, 40 {
                len, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding
            };
            OutHeader = fuse_out_header, 16 { len, error, unique };
            InitIn = fuse_init_in, 64 { major, minor, max_readahead, flags, flags2, unused };
            InitOut = fuse_init_out, 64 {
                major, minor, max_readahead, flags, max_background, congestion_threshold,
                max_write, time_gran, max_pages, map_alignment, flags2, max_stack_depth,
                request_timeout, unused
            };
            InterruptIn = fuse_interrupt_in, 8 { unique };
            ForgetIn = fuse_forget_in, 8 { nlookup };
            BatchForgetIn = fuse_batch_forget_in, 8 { count, dummy };
            ForgetOne = fuse_forget_one, 16 { nodeid, nlookup };
            ExtHeader = fuse_ext_header, 8 { size, type_ };
            SecctxHeader = fuse_secctx_header, 8 { size, nr_secctx };
            Secctx = fuse_secctx, 8 { size, padding };
            BackingMap = fuse_backing_map, 16 { fd, flags, padding };
            Attr = fuse_attr, 88 {
                ino, size, blocks, atime, mtime, ctime, atimensec, mtimensec, ctimensec, mode,
                nlink, uid, gid, rdev, blksize, flags
            };
            SxTime = fuse_sx_time, 16 { tv_sec, tv_nsec, __reserved };
            Statx = fuse_statx, 256 {
                mask, blksize, attributes, nlink, uid, gid, mode, __spare0, ino, size, blocks,
                attributes_mask, atime, btime, ctime, mtime, rdev_major, rdev_minor, dev_major,
                dev_minor, __spare2
            };
            Kstatfs = fuse_kstatfs, 80 {
                blocks, bfree, bavail, files, ffree, bsize, namelen, frsize, padding, spare
            };
            StatfsOut = fuse_statfs_out, 80 { st };
            GetattrIn = fuse_getattr_in, 16 { getattr_flags, dummy, fh };
            AttrOut = fuse_attr_out, 104 { attr_valid, attr_valid_nsec, dummy, attr };
            StatxIn = fuse_statx_in, 24 { getattr_flags, reserved, fh, sx_flags, sx_mask };
            StatxOut = fuse_statx_out, 288 { attr_valid, attr_valid_nsec, flags, spare, stat };
            SetattrIn = fuse_setattr_in, 88 {
                valid, padding, fh, size, lock_owner, atime, mtime, ctime, atimensec, mtimensec,
                ctimensec, mode, unused4, uid, gid, unused5
            };
            EntryOut = fuse_entry_out, 128 {
                nodeid, generation, entry_valid, attr_valid, entry_valid_nsec, attr_valid_nsec,
                attr
            };
            Dirent = fuse_dirent, 24 { ino, off, namelen, type_ };
            Direntplus = fuse_direntplus, 152 { entry_out, dirent };
            MknodIn = fuse_mknod_in, 16 { mode, rdev, umask, padding };
            MkdirIn = fuse_mkdir_in, 8 { mode, umask };
            RenameIn = fuse_rename_in, 8 { newdir };
            Rename2In = fuse_rename2_in, 16 { newdir, flags, padding };
            LinkIn = fuse_link_in, 8 { oldnodeid };
            SetxattrIn = fuse_setxattr_in, 16 { size, flags, setxattr_flags, padding };
            GetxattrIn = fuse_getxattr_in, 8 { size, padding };
            GetxattrOut = fuse_getxattr_out, 8 { size, padding };
            OpenIn = fuse_open_in, 8 { flags, open_flags };
            CreateIn = fuse_create_in, 16 { flags, mode, umask, open_flags };
            OpenOut = fuse_open_out, 16 { fh, open_flags, backing_id };
            ReleaseIn = fuse_release_in, 24 { fh, flags, release_flags, lock_owner };
            FlushIn = fuse_flush_in, 24 { fh, unused, padding, lock_owner };
            ReadIn = fuse_read_in, 40 { fh, offset, size, read_flags, lock_owner, flags, padding };
            WriteIn = fuse_write_in, 40 {
                fh, offset, size, write_flags, lock_owner, flags, padding
            };
            WriteOut = fuse_write_out, 8 { size, padding };
            FsyncIn = fuse_fsync_in, 16 { fh, fsync_flags, padding };
            AccessIn = fuse_access_in, 8 { mask, padding };
            FileLock = fuse_file_lock, 24 { start, end, type_, pid };
            LkIn = fuse_lk_in, 48 { fh, owner, lk, lk_flags, padding };
            LkOut = fuse_lk_out, 24 { lk };
            FallocateIn = fuse_fallocate_in, 32 { fh, offset, length, mode, padding };
            LseekIn = fuse_lseek_in, 24 { fh, offset, whence, padding };
            LseekOut = fuse_lseek_out, 8 { offset };
            CopyFileRangeIn = fuse_copy_file_range_in, 56 {
                fh_in, off_in, nodeid_out, fh_out, off_out, len, flags
            };
            CopyFileRangeOut = fuse_copy_file_range_out, 8 { bytes_copied };
            BmapIn = fuse_bmap_in, 16 { block, blocksize, padding };
            BmapOut = fuse_bmap_out, 8 { block };
            IoctlIn = fuse_ioctl_in, 32 { fh, flags, cmd, arg, in_size, out_size };
            IoctlIovec = fuse_ioctl_iovec, 16 { base, len };
            IoctlOut = fuse_ioctl_out, 16 { result, flags, in_iovs, out_iovs };
            PollIn = fuse_poll_in, 24 { fh, kh, flags, events };
            PollOut = fuse_poll_out, 8 { revents, padding };
            SyncfsIn = fuse_syncfs_in, 8 { padding };
            SetupmappingIn = fuse_setupmapping_in, 40 { fh, foffset, len, flags, moffset };
            RemovemappingIn = fuse_removemapping_in, 4 { count };
            RemovemappingOne = fuse_removemapping_one, 16 { moffset, len };
            NotifyPollWakeupOut = fuse_notify_poll_wakeup_out, 8 { kh };
            NotifyInvalInodeOut = fuse_notify_inval_inode_out, 24 { ino, off, len };
            NotifyInvalEntryOut = fuse_notify_inval_entry_out, 16 { parent, namelen, flags };
            NotifyDeleteOut = fuse_notify_delete_out, 24 { parent, child, namelen, padding };
            NotifyStoreOut = fuse_notify_store_out, 24 { nodeid, offset, size, padding };
            NotifyRetrieveOut = fuse_notify_retrieve_out, 32 {
                notify_unique, nodeid, offset, size, padding
            };
            NotifyRetrieveIn = fuse_notify_retrieve_in, 40 {
                dummy1, offset, size, dummy2, dummy3, dummy4
            };
            NotifyPruneOut = fuse_notify_prune_out, 16 { count, padding, spare };
        }
    };
}

macro_rules! sizes {
    ($($rust:ident = $c:ident, $size:literal { $($field:ident),* };)*) => {
        $(const _: () = assert!(size_of::<$rust>() == $size);)*
    };
}

wire_layout!(sizes);
