// SPDX-License-Identifier: GPL-2.0
/*
 * Counts what is put on the queues of all virtio-fs devices, whichever driver has them, by probes
 * beneath both clients. /sys/kernel/debug/bench_count gives "REQUESTS DESCRIPTORS KICKS INTERRUPTS".
 * The probes cost time: nothing is timed while this is loaded.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/virtio.h>
#include <linux/virtio_ids.h>

static atomic64_t requests, descriptors, kicks, interrupts;
static struct dentry *file;

static bool ours(unsigned long vq)
{
	return ((struct virtqueue *)vq)->vdev->id.device == VIRTIO_ID_FS;
}

/* virtqueue_add_split(vq, sgs, total_sg, …), and virtqueue_add_outbuf(vq, sg, num, …). */
static int on_add(struct kprobe *probe, struct pt_regs *regs)
{
	if (ours(regs->di)) {
		atomic64_inc(&requests);
		atomic64_add(regs->dx, &descriptors);
	}
	return 0;
}

/* vp_notify(vq) */
static int on_notify(struct kprobe *probe, struct pt_regs *regs)
{
	if (ours(regs->di))
		atomic64_inc(&kicks);
	return 0;
}

/* vring_interrupt(irq, vq) */
static int on_interrupt(struct kprobe *probe, struct pt_regs *regs)
{
	if (ours(regs->si))
		atomic64_inc(&interrupts);
	return 0;
}

static struct kprobe add = { .symbol_name = "virtqueue_add_split", .pre_handler = on_add };
static struct kprobe add_out = { .symbol_name = "virtqueue_add_outbuf", .pre_handler = on_add };
static struct kprobe notify = { .symbol_name = "vp_notify", .pre_handler = on_notify };
static struct kprobe interrupt = { .symbol_name = "vring_interrupt", .pre_handler = on_interrupt };
static struct kprobe *probes[] = { &add, &add_out, &notify, &interrupt };

static int counts_show(struct seq_file *seq, void *unused)
{
	seq_printf(seq, "%lld %lld %lld %lld\n", atomic64_read(&requests), atomic64_read(&descriptors),
		   atomic64_read(&kicks), atomic64_read(&interrupts));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counts);

static int __init bench_count_init(void)
{
	int err = register_kprobes(probes, ARRAY_SIZE(probes));

	if (err)
		return err;
	file = debugfs_create_file("bench_count", 0400, NULL, NULL, &counts_fops);
	return 0;
}

static void __exit bench_count_exit(void)
{
	debugfs_remove(file);
	unregister_kprobes(probes, ARRAY_SIZE(probes));
}

module_init(bench_count_init);
module_exit(bench_count_exit);

MODULE_DESCRIPTION("Counts requests, descriptors, kicks and interrupts of virtio-fs devices");
MODULE_LICENSE("GPL");
