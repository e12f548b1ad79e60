// SPDX-License-Identifier: GPL-2.0
#include <linux/backing-dev.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/splice.h>
#include <linux/statfs.h>
#include <linux/uio.h>
#include <linux/user_namespace.h>

__rfuse_helper void rfuse_helper_d_lock(struct dentry *dentry)
{
	spin_lock(&dentry->d_lock);
}

__rfuse_helper void rfuse_helper_d_unlock(struct dentry *dentry)
{
	spin_unlock(&dentry->d_lock);
}

__rfuse_helper struct inode *rfuse_helper_alloc_inode_sb_slot(struct super_block *sb,
							      struct kmem_cache *cache, gfp_t gfp)
{
	return alloc_inode_sb(sb, cache, gfp);
}

__rfuse_helper bool rfuse_helper_inode_is_new(struct inode *inode)
{
	return inode_state_read_once(inode) & I_NEW;
}

__rfuse_helper loff_t rfuse_helper_i_size_read(const struct inode *inode)
{
	return i_size_read(inode);
}

__rfuse_helper void rfuse_helper_i_size_write(struct inode *inode, loff_t i_size)
{
	i_size_write(inode, i_size);
}

__rfuse_helper void rfuse_helper_inode_set_atime(struct inode *inode, time64_t sec, long nsec)
{
	inode_set_atime(inode, sec, nsec);
}

__rfuse_helper void rfuse_helper_inode_set_mtime(struct inode *inode, time64_t sec, long nsec)
{
	inode_set_mtime(inode, sec, nsec);
}

__rfuse_helper void rfuse_helper_inode_set_ctime(struct inode *inode, time64_t sec, long nsec)
{
	inode_set_ctime(inode, sec, nsec);
}

__rfuse_helper void rfuse_helper_remove_inode_hash(struct inode *inode)
{
	remove_inode_hash(inode);
}

__rfuse_helper struct inode *rfuse_helper_file_inode(const struct file *file)
{
	return file_inode(file);
}

__rfuse_helper struct inode *rfuse_helper_d_inode_rcu(const struct dentry *dentry)
{
	return d_inode_rcu(dentry);
}

__rfuse_helper struct dentry *rfuse_helper_dget(struct dentry *dentry)
{
	return dget(dentry);
}

__rfuse_helper bool rfuse_helper_d_can_lookup(const struct dentry *dentry)
{
	return d_can_lookup(dentry);
}

__rfuse_helper bool rfuse_helper_d_in_lookup(const struct dentry *dentry)
{
	return d_in_lookup(dentry);
}

__rfuse_helper void rfuse_helper_d_lookup_done(struct dentry *dentry)
{
	d_lookup_done(dentry);
}

__rfuse_helper bool rfuse_helper_dir_emit(struct dir_context *ctx, const char *name, int namelen,
					  u64 ino, unsigned int type)
{
	return dir_emit(ctx, name, namelen, ino, type);
}

__rfuse_helper __kernel_fsid_t rfuse_helper_dev_to_fsid(dev_t dev)
{
	return u64_to_fsid(huge_encode_dev(dev));
}

__rfuse_helper void rfuse_helper_mapping_set_folio_order_range(struct address_space *mapping,
							       unsigned int min, unsigned int max)
{
	mapping_set_folio_order_range(mapping, min, max);
}

__rfuse_helper bool rfuse_helper_folio_trylock(struct folio *folio)
{
	return folio_trylock(folio);
}

__rfuse_helper bool rfuse_helper_folio_test_dirty(struct folio *folio)
{
	return folio_test_dirty(folio);
}

__rfuse_helper bool rfuse_helper_folio_test_writeback(struct folio *folio)
{
	return folio_test_writeback(folio);
}

__rfuse_helper loff_t rfuse_helper_folio_pos(const struct folio *folio)
{
	return folio_pos(folio);
}

__rfuse_helper size_t rfuse_helper_folio_size(const struct folio *folio)
{
	return folio_size(folio);
}

__rfuse_helper struct address_space *rfuse_helper_folio_mapping_locked(const struct folio *folio)
{
	return folio->mapping;
}

__rfuse_helper void rfuse_helper_folio_zero_segment(struct folio *folio, size_t start, size_t end)
{
	folio_zero_segment(folio, start, end);
}

__rfuse_helper void rfuse_helper_memcpy_to_folio(struct folio *folio, size_t offset,
						 const char *from, size_t len)
{
	memcpy_to_folio(folio, offset, from, len);
}

__rfuse_helper struct folio *rfuse_helper_readahead_folio(struct readahead_control *ractl)
{
	return readahead_folio(ractl);
}

__rfuse_helper loff_t rfuse_helper_readahead_pos(const struct readahead_control *ractl)
{
	return readahead_pos((struct readahead_control *)ractl);
}

__rfuse_helper size_t rfuse_helper_readahead_length(const struct readahead_control *ractl)
{
	return readahead_length((struct readahead_control *)ractl);
}

__rfuse_helper unsigned int rfuse_helper_readahead_count(const struct readahead_control *ractl)
{
	return readahead_count((struct readahead_control *)ractl);
}

__rfuse_helper kuid_t rfuse_helper_current_fsuid(void)
{
	return current_fsuid();
}

__rfuse_helper kgid_t rfuse_helper_current_fsgid(void)
{
	return current_fsgid();
}

__rfuse_helper kuid_t rfuse_helper_mapped_fsuid(struct mnt_idmap *idmap,
						struct user_namespace *fs_userns)
{
	return mapped_fsuid(idmap, fs_userns);
}

__rfuse_helper kgid_t rfuse_helper_mapped_fsgid(struct mnt_idmap *idmap,
						struct user_namespace *fs_userns)
{
	return mapped_fsgid(idmap, fs_userns);
}

__rfuse_helper pid_t rfuse_helper_current_pid_nr(void)
{
	return task_pid_nr(current);
}

__rfuse_helper pid_t rfuse_helper_current_tgid_nr(void)
{
	return task_tgid_nr(current);
}

__rfuse_helper bool rfuse_helper_iov_iter_extract_will_pin(const struct iov_iter *iter)
{
	return iov_iter_extract_will_pin(iter);
}

__rfuse_helper bool rfuse_helper_want_init_on_alloc(gfp_t flags)
{
	return want_init_on_alloc(flags);
}

__rfuse_helper int rfuse_helper_current_umask(void)
{
	return current_umask();
}

__rfuse_helper uid_t rfuse_helper_iattr_uid(struct mnt_idmap *idmap, struct dentry *dentry,
					    const struct iattr *attr)
{
	struct user_namespace *ns = dentry->d_sb->s_user_ns;

	return from_kuid(ns, from_vfsuid(idmap, ns, attr->ia_vfsuid));
}

__rfuse_helper gid_t rfuse_helper_iattr_gid(struct mnt_idmap *idmap, struct dentry *dentry,
					    const struct iattr *attr)
{
	struct user_namespace *ns = dentry->d_sb->s_user_ns;

	return from_kgid(ns, from_vfsgid(idmap, ns, attr->ia_vfsgid));
}

__rfuse_helper bool rfuse_helper_current_is_x32(void)
{
#ifdef CONFIG_X86_X32_ABI
	return in_x32_syscall();
#else
	return false;
#endif
}

/* Without security modules these are inline functions. */
__rfuse_helper int rfuse_helper_call_security_dentry_init_security(struct dentry *dentry, int mode,
								   const struct qstr *name,
								   const char **xattr_name,
								   struct lsm_context *context)
{
	return security_dentry_init_security(dentry, mode, name, xattr_name, context);
}

__rfuse_helper void rfuse_helper_call_security_release_secctx(struct lsm_context *context)
{
	security_release_secctx(context);
}

__rfuse_helper void *rfuse_helper_current_files(void)
{
	return current->files;
}

__rfuse_helper bool rfuse_helper_mapping_is_dirty(struct address_space *mapping)
{
	return mapping_tagged(mapping, PAGECACHE_TAG_DIRTY);
}

__rfuse_helper bool rfuse_helper_inode_in_group_or_capable(struct mnt_idmap *idmap,
							   struct inode *inode)
{
	return in_group_or_capable(idmap, inode, i_gid_into_vfsgid(idmap, inode));
}

__rfuse_helper bool rfuse_helper_folio_test_uptodate(struct folio *folio)
{
	return folio_test_uptodate(folio);
}

__rfuse_helper void rfuse_helper_folio_get(struct folio *folio)
{
	folio_get(folio);
}

__rfuse_helper void rfuse_helper_folio_put(struct folio *folio)
{
	folio_put(folio);
}

__rfuse_helper struct folio *rfuse_helper_filemap_write_begin(struct address_space *mapping,
							      loff_t pos, size_t len)
{
	return __filemap_get_folio(mapping, pos >> PAGE_SHIFT,
				   FGP_WRITEBEGIN | FGP_NOWAIT | fgf_set_order(len),
				   mapping_gfp_mask(mapping));
}

__rfuse_helper struct folio *rfuse_helper_filemap_get_folio_at(struct address_space *mapping,
							       loff_t pos)
{
	return filemap_get_folio(mapping, pos >> PAGE_SHIFT);
}

__rfuse_helper int rfuse_helper_folio_lock_killable(struct folio *folio)
{
	return folio_lock_killable(folio);
}

__rfuse_helper void rfuse_helper_mapping_set_error(struct address_space *mapping, int error)
{
	mapping_set_error(mapping, error);
}

__rfuse_helper void rfuse_helper_inode_lock(struct inode *inode)
{
	inode_lock(inode);
}

__rfuse_helper bool rfuse_helper_inode_trylock(struct inode *inode)
{
	return inode_trylock(inode);
}

__rfuse_helper void rfuse_helper_inode_lock_shared(struct inode *inode)
{
	inode_lock_shared(inode);
}

__rfuse_helper void rfuse_helper_inode_unlock_shared(struct inode *inode)
{
	inode_unlock_shared(inode);
}

__rfuse_helper bool rfuse_helper_vm_area_desc_is_shared(const struct vm_area_desc *desc)
{
	return vma_flags_test(&desc->vma_flags, VMA_MAYSHARE_BIT);
}

__rfuse_helper void rfuse_helper_inode_unlock(struct inode *inode)
{
	inode_unlock(inode);
}

__rfuse_helper ssize_t rfuse_helper_generic_write_sync(struct kiocb *iocb, ssize_t count)
{
	return generic_write_sync(iocb, count);
}

/* The memory of an io_submit(2), which waits for the request before it goes; NULL for other requests. */
__rfuse_helper struct mm_struct *rfuse_helper_kiocb_aio_mm(const struct kiocb *iocb)
{
	return iocb->ki_flags & IOCB_AIO_RW ? current->mm : NULL;
}

__rfuse_helper bool rfuse_helper_mm_is_gone(struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users);
}

__rfuse_helper void rfuse_helper_kiocb_complete(struct kiocb *iocb, long result)
{
	if (result > 0)
		iocb->ki_pos += result;
	iocb->ki_complete(iocb, result);
}

__rfuse_helper bool rfuse_helper_iocb_is_dsync(const struct kiocb *iocb)
{
	return iocb_is_dsync(iocb);
}

__rfuse_helper ssize_t rfuse_helper_splice_copy_file_range(struct file *in, loff_t pos_in,
							   struct file *out, loff_t pos_out,
							   size_t len)
{
	return splice_copy_file_range(in, pos_in, out, pos_out, len);
}

__rfuse_helper void rfuse_helper___filemap_fdatawrite_and_wait(struct file *file, loff_t start,
							       loff_t end)
{
	filemap_fdatawrite_range(file->f_mapping, start, end);
	filemap_fdatawait_range_keep_errors(file->f_mapping, start, end);
}

/* Unlike mapping_set_folio_order_range() this is for a mapping in use, whose other flags others change. */
static void mapping_limit_folio_order(struct address_space *mapping, unsigned int max)
{
	unsigned long new, old = READ_ONCE(mapping->flags);

	do {
		new = (old & ~AS_FOLIO_ORDER_MAX_MASK) | ((unsigned long)max << AS_FOLIO_ORDER_MAX);
	} while (!try_cmpxchg(&mapping->flags, &old, new));
}

__rfuse_helper void rfuse_helper_mapping_allow_large_folios(struct address_space *mapping,
							    unsigned int max)
{
	if (mapping_max_folio_order(mapping) < min(max, MAX_PAGECACHE_ORDER) &&
	    !mapping_writably_mapped(mapping))
		mapping_limit_folio_order(mapping, min(max, MAX_PAGECACHE_ORDER));
}

/* Pages that come through a mapping that may be written to come one by one. */
__rfuse_helper void rfuse_helper_vm_area_desc_limit_folios(const struct vm_area_desc *desc)
{
	if (rfuse_helper_vm_area_desc_is_shared(desc) &&
	    vma_flags_test(&desc->vma_flags, VMA_WRITE_BIT))
		mapping_limit_folio_order(desc->file->f_mapping, 0);
}

/*
 * What is written to through a mapping is dirty as a whole folio, so that one byte would send all of a large
 * one. Whether the page comes back as a small folio, at the next fault.
 */
static bool drop_large_folio(struct address_space *mapping, struct folio *folio)
{
	if (!folio_test_large(folio) || folio_test_dirty(folio))
		return false;
	mapping_limit_folio_order(mapping, 0);
	return !invalidate_inode_pages2_range(mapping, folio->index, folio_next_index(folio) - 1);
}

/* Returns with the folio locked, which tells the memory management to mark it dirty. */
__rfuse_helper vm_fault_t rfuse_helper_filemap_page_mkwrite_locked(struct vm_fault *vmf)
{
	struct folio *folio = page_folio(vmf->page);
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;

	sb_start_pagefault(mapping->host->i_sb);
	file_update_time(vmf->vma->vm_file);
	if (drop_large_folio(mapping, folio)) {
		sb_end_pagefault(mapping->host->i_sb);
		return VM_FAULT_NOPAGE;
	}
	folio_lock(folio);
	if (folio->mapping != mapping) {
		folio_unlock(folio);
		sb_end_pagefault(mapping->host->i_sb);
		return VM_FAULT_NOPAGE;
	}
	folio_wait_writeback(folio);
	sb_end_pagefault(mapping->host->i_sb);
	return VM_FAULT_LOCKED;
}


__rfuse_helper void *rfuse_helper_page_to_virt(struct page *page)
{
	return page_address(page);
}

__rfuse_helper void rfuse_helper_memcpy_from_folio(char *to, struct folio *folio, size_t offset,
						   size_t len)
{
	memcpy_from_folio(to, folio, offset, len);
}

__rfuse_helper void rfuse_helper_bdi_count_writeback(struct inode *inode, long pages)
{
	wb_stat_mod(&inode_to_bdi(inode)->wb, WB_WRITEBACK, pages);
}

__rfuse_helper void rfuse_helper_sb_set_strictlimit(struct super_block *sb)
{
	if (sb->s_iflags & SB_I_PERSB_BDI)
		sb->s_bdi->capabilities |= BDI_CAP_STRICTLIMIT;
}

__rfuse_helper bool rfuse_helper_folio_test_private(struct folio *folio)
{
	return folio_test_private(folio);
}

__rfuse_helper struct timespec64 rfuse_helper_inode_get_mtime(const struct inode *inode)
{
	return inode_get_mtime(inode);
}

__rfuse_helper struct timespec64 rfuse_helper_inode_get_ctime(const struct inode *inode)
{
	return inode_get_ctime(inode);
}

__rfuse_helper bool rfuse_helper_inode_supplementary_group(struct mnt_idmap *idmap,
							   struct inode *inode, gid_t *gid)
{
	struct user_namespace *ns = inode->i_sb->s_user_ns;
	vfsgid_t vfsgid = make_vfsgid(idmap, ns, inode->i_gid);

	*gid = from_kgid(ns, inode->i_gid);
	return *gid != (gid_t)-1 && !vfsgid_eq_kgid(vfsgid, current_fsgid()) &&
	       vfsgid_in_group_p(vfsgid);
}

__rfuse_helper struct mnt_idmap *rfuse_helper_file_mnt_idmap(const struct file *file)
{
	return file_mnt_idmap(file);
}

__rfuse_helper void rfuse_helper_mapping_set_writeback_may_deadlock(struct address_space *mapping)
{
	mapping_set_writeback_may_deadlock_on_reclaim(mapping);
}

__rfuse_helper void rfuse_helper_sb_activate(struct super_block *sb)
{
	atomic_inc(&sb->s_active);
}

/* By no id of its own may a process gain from a file system that another user serves, or lose to it. */
__rfuse_helper const struct cred *rfuse_helper_current_cred(void)
{
	return current_cred();
}

__rfuse_helper bool rfuse_helper_user_ns_has_ids(struct user_namespace *ns, uid_t uid, gid_t gid)
{
	return uid_valid(make_kuid(ns, uid)) && gid_valid(make_kgid(ns, gid));
}

__rfuse_helper struct user_namespace *rfuse_helper_get_user_ns_ref(struct user_namespace *ns)
{
	return get_user_ns(ns);
}

__rfuse_helper void rfuse_helper_put_user_ns_ref(struct user_namespace *ns)
{
	put_user_ns(ns);
}

__rfuse_helper struct pid_namespace *rfuse_helper_current_pid_ns_ref(void)
{
	return get_pid_ns(task_active_pid_ns(current));
}

__rfuse_helper pid_t rfuse_helper_current_pid_in(struct pid_namespace *ns)
{
	return pid_nr_ns(task_pid(current), ns);
}

__rfuse_helper pid_t rfuse_helper_current_tgid_in(struct pid_namespace *ns)
{
	return pid_nr_ns(task_tgid(current), ns);
}

/* The directory and the inode are locked. */
__rfuse_helper int rfuse_helper_dentry_removed(struct dentry *dentry)
{
	if (d_mountpoint(dentry))
		return -EBUSY;
	if (d_is_dir(dentry)) {
		shrink_dcache_parent(dentry);
		if (!simple_empty(dentry))
			return -ENOTEMPTY;
		d_inode(dentry)->i_flags |= S_DEAD;
	}
	dont_mount(dentry);
	clear_nlink(d_inode(dentry));
	return 0;
}

__rfuse_helper void rfuse_helper_inode_lock_parent(struct inode *inode)
{
	inode_lock_nested(inode, I_MUTEX_PARENT);
}

__rfuse_helper unsigned long rfuse_helper_totalram_pages(void)
{
	return totalram_pages();
}

__rfuse_helper void rfuse_helper_init_sync_kiocb(struct kiocb *iocb, struct file *file)
{
	init_sync_kiocb(iocb, file);
}

__rfuse_helper const struct cred *rfuse_helper_get_current_cred(void)
{
	return get_current_cred();
}
