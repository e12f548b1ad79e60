// SPDX-License-Identifier: GPL-2.0
/*
 * Bugs on purpose, chosen by the parameter `kind`: the cases verdict-* load it to prove that the rig
 * sees them. Loading it always fails.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *kind = "";
module_param(kind, charp, 0);
MODULE_PARM_DESC(kind, "warn, use-after-free, abba, atomic-sleep or leak");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);

static void use_after_free(void)
{
	char *bytes = kmalloc(64, GFP_KERNEL);

	if (!bytes)
		return;
	kfree(bytes);
	/* The compiler may not know that it is freed. */
	OPTIMIZER_HIDE_VAR(bytes);
	WRITE_ONCE(bytes[8], 1);
}

static void both(struct mutex *outer, struct mutex *inner)
{
	mutex_lock(outer);
	mutex_lock(inner);
	mutex_unlock(inner);
	mutex_unlock(outer);
}

static void abba(void)
{
	both(&first, &second);
	both(&second, &first);
}

static void atomic_sleep(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
}

static void leak(void)
{
	/* The allocator's caches may still point to the last ones. */
	for (int i = 0; i < 200; i++) {
		char *bytes = kmalloc(640, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(bytes);
	}
}

static int __init rig_bug_init(void)
{
	if (!strcmp(kind, "warn"))
		WARN(1, "rig_bug: on purpose\n");
	else if (!strcmp(kind, "use-after-free"))
		use_after_free();
	else if (!strcmp(kind, "abba"))
		abba();
	else if (!strcmp(kind, "atomic-sleep"))
		atomic_sleep();
	else if (!strcmp(kind, "leak"))
		leak();
	else
		return -EINVAL;
	return -ECANCELED;
}
module_init(rig_bug_init);

MODULE_DESCRIPTION("Bugs on purpose");
MODULE_LICENSE("GPL");
