// SPDX-License-Identifier: GPL-2.0
/*
 * The round trip of an empty request: what no client of a virtio-fs device can do without.
 *
 * Binds the virtio-fs device with the tag "ping", without any file system. Writing N to
 * /sys/kernel/debug/bench_ping/run sends N requests of an opcode that the server does not know, one
 * after the other, each waited for as a driver would: the task sleeps, the interrupt's callback
 * completes it. Reading gives "N NANOSECONDS" of the last run.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/fuse.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>

#define TAG "ping"
/* No FUSE operation has this number. */
#define UNKNOWN_OPCODE 4000
#define NR_QUEUES 2
#define REQUESTS 1

struct request {
	struct fuse_in_header head;
	struct fuse_init_in init;
};

struct reply {
	struct fuse_out_header head;
	struct fuse_init_out init;
};

struct ping {
	struct virtio_device *vdev;
	struct virtqueue *vqs[NR_QUEUES];
	/* Of the queue. */
	spinlock_t lock;
	/* One run at a time; guards what follows. */
	struct mutex running;
	struct request *request;
	struct reply *reply;
	struct completion done;
	/* A run was killed: the device may still write to the reply. */
	bool lost;
	unsigned long count;
	u64 spent;
	struct dentry *dir;
};

static void on_used(struct virtqueue *vq)
{
	struct ping *ping = vq->vdev->priv;
	unsigned long flags;
	unsigned int len;
	bool used;

	spin_lock_irqsave(&ping->lock, flags);
	used = virtqueue_get_buf(vq, &len);
	spin_unlock_irqrestore(&ping->lock, flags);
	if (used)
		complete(&ping->done);
}

static int submit(struct ping *ping, u32 size)
{
	struct virtqueue *vq = ping->vqs[REQUESTS];
	struct scatterlist out, in, *sgs[] = { &out, &in };
	unsigned long flags;
	bool notify;
	int err;

	sg_init_one(&out, ping->request, size);
	sg_init_one(&in, ping->reply, sizeof(*ping->reply));
	spin_lock_irqsave(&ping->lock, flags);
	err = virtqueue_add_sgs(vq, sgs, 1, 1, ping, GFP_ATOMIC);
	notify = !err && virtqueue_kick_prepare(vq);
	spin_unlock_irqrestore(&ping->lock, flags);
	if (notify)
		virtqueue_notify(vq);
	return err;
}

/* One round trip; the server's error, which is negative too, is in the reply. */
static int trip(struct ping *ping, u32 opcode, u32 body)
{
	struct fuse_in_header *head = &ping->request->head;
	int err;

	if (ping->lost)
		return -EIO;
	head->len = sizeof(*head) + body;
	head->opcode = opcode;
	head->unique += 2;
	reinit_completion(&ping->done);
	err = submit(ping, head->len);
	if (err)
		return err;
	if (wait_for_completion_killable(&ping->done)) {
		ping->lost = true;
		return -EINTR;
	}
	return ping->reply->head.unique == head->unique ? 0 : -EPROTO;
}

static int init(struct ping *ping)
{
	struct fuse_init_in *body = &ping->request->init;
	int err;

	body->major = FUSE_KERNEL_VERSION;
	body->minor = FUSE_KERNEL_MINOR_VERSION;
	/* virtiofsd --posix-acl refuses a client without these. */
	body->flags = FUSE_POSIX_ACL | FUSE_DONT_MASK | FUSE_SETXATTR_EXT;
	err = trip(ping, FUSE_INIT, sizeof(*body));
	if (err)
		return err;
	return ping->reply->head.error;
}

static int run(struct ping *ping, unsigned long count)
{
	u64 start = ktime_get_ns();
	int err;

	for (unsigned long i = 0; i < count; i++) {
		err = trip(ping, UNKNOWN_OPCODE, 0);
		if (err)
			return err;
		if (ping->reply->head.error != -ENOSYS)
			return -EPROTO;
	}
	ping->spent = ktime_get_ns() - start;
	ping->count = count;
	return 0;
}

static ssize_t run_write(struct file *file, const char __user *data, size_t size, loff_t *pos)
{
	struct ping *ping = file->private_data;
	unsigned long count;
	int err = kstrtoul_from_user(data, size, 0, &count);

	if (err)
		return err;
	if (mutex_lock_killable(&ping->running))
		return -EINTR;
	err = run(ping, count);
	mutex_unlock(&ping->running);
	return err ?: size;
}

static ssize_t run_read(struct file *file, char __user *data, size_t size, loff_t *pos)
{
	struct ping *ping = file->private_data;
	char text[64];
	int len = scnprintf(text, sizeof(text), "%lu %llu\n", ping->count, ping->spent);

	return simple_read_from_buffer(data, size, pos, text, len);
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = run_read,
	.write = run_write,
};

static bool tag_matches(struct virtio_device *vdev)
{
	char tag[sizeof_field(struct virtio_fs_config, tag) + 1] = {};

	virtio_cread_bytes(vdev, offsetof(struct virtio_fs_config, tag), tag, sizeof(tag) - 1);
	return !strcmp(tag, TAG);
}

static int find_queues(struct ping *ping)
{
	struct virtqueue_info infos[NR_QUEUES] = {
		{ "hiprio", on_used },
		{ "requests.0", on_used },
	};

	return virtio_find_vqs(ping->vdev, NR_QUEUES, ping->vqs, infos, NULL);
}

static void free_ping(struct ping *ping)
{
	kfree(ping->request);
	kfree(ping->reply);
	kfree(ping);
}

static struct ping *alloc_ping(struct virtio_device *vdev)
{
	struct ping *ping = kzalloc(sizeof(*ping), GFP_KERNEL);

	if (!ping)
		return NULL;
	ping->vdev = vdev;
	spin_lock_init(&ping->lock);
	mutex_init(&ping->running);
	init_completion(&ping->done);
	ping->request = kzalloc(sizeof(*ping->request), GFP_KERNEL);
	ping->reply = kzalloc(sizeof(*ping->reply), GFP_KERNEL);
	if (ping->request && ping->reply)
		return ping;
	free_ping(ping);
	return NULL;
}

static int probe(struct virtio_device *vdev)
{
	struct ping *ping;
	int err;

	if (!tag_matches(vdev))
		return -ENODEV;
	ping = alloc_ping(vdev);
	if (!ping)
		return -ENOMEM;
	vdev->priv = ping;
	err = find_queues(ping);
	if (err)
		goto out_free;
	virtio_device_ready(vdev);
	err = init(ping);
	if (err)
		goto out_reset;
	ping->dir = debugfs_create_dir("bench_ping", NULL);
	debugfs_create_file("run", 0600, ping->dir, ping, &run_fops);
	return 0;

out_reset:
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
out_free:
	free_ping(ping);
	return err;
}

static void remove(struct virtio_device *vdev)
{
	struct ping *ping = vdev->priv;

	/* Waits for a run. */
	debugfs_remove(ping->dir);
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	free_ping(ping);
}

static const struct virtio_device_id ids[] = {
	{ VIRTIO_ID_FS, VIRTIO_DEV_ANY_ID },
	{},
};

static struct virtio_driver ping_driver = {
	.driver.name = "bench_ping",
	.id_table = ids,
	.probe = probe,
	.remove = remove,
};
module_virtio_driver(ping_driver);

MODULE_DESCRIPTION("Round trips of empty requests to a virtio-fs device");
MODULE_LICENSE("GPL");
