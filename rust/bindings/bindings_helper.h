/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Headers whose items the module needs and which `kernel::bindings` lacks.
 * Sorted alphabetically.
 */
#include <linux/hrtimer_types.h>

#include <linux/aio.h>
#include <linux/backing-dev.h>
#include <linux/backing-file.h>
#include <linux/blkdev.h>
#include <linux/exportfs.h>
#include <linux/fileattr.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/fuse.h>
#include <linux/iomap.h>
#include <linux/io_uring/cmd.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/miscdevice.h>
#include <linux/pagemap.h>
#include <linux/pipe_fs_i.h>
#include <linux/poll.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/sched/clock.h>
#include <linux/security.h>
#include <linux/splice.h>
#include <linux/statfs.h>
#include <linux/string_helpers.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <linux/writeback.h>
#include <uapi/linux/magic.h>

/* `bindgen` does not evaluate casts in macros: export those as constants. */
const unsigned int RUST_CONST_HELPER_AOP_WRITEPAGE_ACTIVATE = AOP_WRITEPAGE_ACTIVATE;
const unsigned int RUST_CONST_HELPER_SLAB_RECLAIM_ACCOUNT = (__force unsigned int)SLAB_RECLAIM_ACCOUNT;
const unsigned int RUST_CONST_HELPER_SLAB_NO_MERGE = (__force unsigned int)SLAB_NO_MERGE;
const unsigned int RUST_CONST_HELPER_SLAB_HWCACHE_ALIGN = (__force unsigned int)SLAB_HWCACHE_ALIGN;
const gfp_t RUST_CONST_HELPER_GFP_NOFS = GFP_NOFS;
const gfp_t RUST_CONST_HELPER___GFP_NOFAIL = __GFP_NOFAIL;
const gfp_t RUST_CONST_HELPER___GFP_NORETRY = __GFP_NORETRY;
const unsigned int RUST_CONST_HELPER_SLAB_ACCOUNT = (__force unsigned int)SLAB_ACCOUNT;
const fgf_t RUST_CONST_HELPER_FGP_WRITEBEGIN = FGP_WRITEBEGIN;
const unsigned int RUST_CONST_HELPER_LOOKUP_CREATE = LOOKUP_CREATE;
const unsigned int RUST_CONST_HELPER_LOOKUP_DIRECTORY = LOOKUP_DIRECTORY;
const unsigned int RUST_CONST_HELPER_LOOKUP_EXCL = LOOKUP_EXCL;
const unsigned int RUST_CONST_HELPER_LOOKUP_OPEN = LOOKUP_OPEN;
const unsigned int RUST_CONST_HELPER_LOOKUP_RCU = LOOKUP_RCU;
const unsigned int RUST_CONST_HELPER_LOOKUP_RENAME_TARGET = LOOKUP_RENAME_TARGET;
const unsigned int RUST_CONST_HELPER_LOOKUP_REVAL = LOOKUP_REVAL;
const unsigned long RUST_CONST_HELPER_SB_ACTIVE = SB_ACTIVE;
const unsigned long RUST_CONST_HELPER_SB_NOSEC = SB_NOSEC;
const unsigned long RUST_CONST_HELPER_SB_POSIXACL = SB_POSIXACL;
const unsigned long RUST_CONST_HELPER_SB_RDONLY = SB_RDONLY;
const unsigned long RUST_CONST_HELPER_SB_SILENT = SB_SILENT;
const int RUST_CONST_HELPER_F_GETLK = F_GETLK;
const int RUST_CONST_HELPER_F_CANCELLK = F_CANCELLK;
const unsigned char RUST_CONST_HELPER_F_RDLCK = F_RDLCK;
const unsigned char RUST_CONST_HELPER_F_WRLCK = F_WRLCK;
const unsigned char RUST_CONST_HELPER_F_UNLCK = F_UNLCK;
const unsigned int RUST_CONST_HELPER_FL_SLEEP = FL_SLEEP;
const unsigned int RUST_CONST_HELPER_FL_OFDLCK = FL_OFDLCK;
const int RUST_CONST_HELPER_FILE_LOCK_DEFERRED = FILE_LOCK_DEFERRED;
const unsigned int RUST_CONST_HELPER_FMODE_CAN_ODIRECT = (__force unsigned int)FMODE_CAN_ODIRECT;
const unsigned int RUST_CONST_HELPER_FMODE_NOWAIT = (__force unsigned int)FMODE_NOWAIT;
const unsigned int RUST_CONST_HELPER_FOP_BUFFER_WASYNC = (__force unsigned int)FOP_BUFFER_WASYNC;
const long RUST_CONST_HELPER_MAX_SCHEDULE_TIMEOUT = MAX_SCHEDULE_TIMEOUT;
const unsigned int RUST_CONST_HELPER_FMODE_CREATED = (__force unsigned int)FMODE_CREATED;
const unsigned int RUST_CONST_HELPER_FMODE_OPENED = (__force unsigned int)FMODE_OPENED;
const unsigned int RUST_CONST_HELPER_FMODE_WRITE = (__force unsigned int)FMODE_WRITE;
const int RUST_CONST_HELPER_KIOCB_APPEND = (__force int)IOCB_APPEND;
const int RUST_CONST_HELPER_KIOCB_SYNC = (__force int)IOCB_SYNC;
const int RUST_CONST_HELPER_KIOCB_NOWAIT = (__force int)IOCB_NOWAIT;
const unsigned int RUST_CONST_HELPER_POLL_READABLE = (__force unsigned int)(EPOLLIN | EPOLLRDNORM);
const unsigned int RUST_CONST_HELPER_POLL_WRITABLE = (__force unsigned int)(EPOLLOUT | EPOLLWRNORM);
const unsigned int RUST_CONST_HELPER_POLL_BROKEN = (__force unsigned int)EPOLLERR;
const unsigned int RUST_CONST_HELPER_ESCAPE_OCTAL = ESCAPE_OCTAL;
const unsigned short RUST_CONST_HELPER_fs_param_neg_with_no = fs_param_neg_with_no;
const loff_t RUST_CONST_HELPER_MAX_LFS_FILESIZE = MAX_LFS_FILESIZE;
