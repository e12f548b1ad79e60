// SPDX-License-Identifier: GPL-2.0
#include <linux/poll.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

__rfuse_helper unsigned int rfuse_helper_memalloc_nofs_save(void)
{
	return memalloc_nofs_save();
}

__rfuse_helper void rfuse_helper_memalloc_nofs_restore(unsigned int flags)
{
	memalloc_nofs_restore(flags);
}

__rfuse_helper bool rfuse_helper_current_is_noio(void)
{
	return current->flags & PF_MEMALLOC_NOIO;
}

__rfuse_helper bool rfuse_helper_current_is_exiting(void)
{
	return current->flags & PF_EXITING;
}

/* The number of a signal is in the lower bits. */
__rfuse_helper bool rfuse_helper_current_is_killed(void)
{
	return current->signal->group_exit_code & 0x7f;
}

/* `DEFINE_RATELIMIT_STATE` holds a lock that only C can initialise statically. */
__rfuse_helper bool rfuse_helper_ratelimit(void)
{
	static DEFINE_RATELIMIT_STATE(state, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);

	return __ratelimit(&state);
}

__rfuse_helper void rfuse_helper_pagefault_disable(void)
{
	pagefault_disable();
}

__rfuse_helper void rfuse_helper_pagefault_enable(void)
{
	pagefault_enable();
}

/* What the kernel crate has too, but out of line in the kernel, far from this module. */
__rfuse_helper void rfuse_helper_near_spin_lock(spinlock_t *lock)
{
	spin_lock(lock);
}

__rfuse_helper void rfuse_helper_near_spin_unlock(spinlock_t *lock)
{
	spin_unlock(lock);
}

__rfuse_helper void rfuse_helper_near_rcu_read_lock(void)
{
	rcu_read_lock();
}

__rfuse_helper void rfuse_helper_near_rcu_read_unlock(void)
{
	rcu_read_unlock();
}

__rfuse_helper unsigned int rfuse_helper_near_processor_id(void)
{
	return raw_smp_processor_id();
}

__rfuse_helper struct task_struct *rfuse_helper_near_current(void)
{
	return current;
}

__rfuse_helper void rfuse_helper_set_current_state(unsigned int state)
{
	set_current_state(state);
}

__rfuse_helper bool rfuse_helper_current_signal_pending_state(unsigned int state)
{
	return signal_pending_state(state, current);
}

__rfuse_helper bool rfuse_helper_wait_queue_active(struct wait_queue_head *head)
{
	return wq_has_sleeper(head);
}

__rfuse_helper __poll_t rfuse_helper_poll_requested_events(const poll_table *table)
{
	return poll_requested_events(table);
}

__rfuse_helper void rfuse_helper_init_delayed_work(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
}
