// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

__rfuse_helper int rfuse_helper_virtio_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
						struct virtqueue *vqs[],
						struct virtqueue_info vqs_info[],
						struct irq_affinity *desc)
{
	return virtio_find_vqs(vdev, nvqs, vqs, vqs_info, desc);
}

__rfuse_helper void rfuse_helper_virtio_device_ready(struct virtio_device *vdev)
{
	virtio_device_ready(vdev);
}

__rfuse_helper void rfuse_helper_virtio_cread_bytes(struct virtio_device *vdev,
						    unsigned int offset, void *buf, size_t len)
{
	virtio_cread_bytes(vdev, offset, buf, len);
}

__rfuse_helper u32 rfuse_helper_virtio_cread32(struct virtio_device *vdev, unsigned int offset)
{
	return virtio_cread32(vdev, offset);
}

__rfuse_helper void rfuse_helper_sg_mark_end(struct scatterlist *sg)
{
	sg_mark_end(sg);
}

__rfuse_helper struct page *rfuse_helper_sg_page(struct scatterlist *sg)
{
	return sg_page(sg);
}

__rfuse_helper bool rfuse_helper_virt_addr_valid(const void *address)
{
	return virt_addr_valid(address);
}

__rfuse_helper struct page *rfuse_helper_virt_to_page(const void *address)
{
	return virt_to_page(address);
}
