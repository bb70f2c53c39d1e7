/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pppio.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t pppio_read(int fd, uint16_t *ret_protocol, void *buf, size_t size)
{
	uint8_t head[2], over;
	struct iovec iov[] = { { head, 2 }, { buf, size }, { &over, 1 } };
	ssize_t n;

	do
		n = readv(fd, iov, 3);
	while (n < 0 && errno == EINTR);
	if (n < 0)	/* ENXIO: the unit's link was deleted */
		return errno == ENXIO || errno == EIO ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	if (n < 2)
		return -EBADMSG;
	if ((size_t)n > size + 2)
		return -EMSGSIZE;
	*ret_protocol = (uint16_t)(head[0] << 8 | head[1]);
	return n - 2;
}

int pppio_write(int fd, uint16_t protocol, const void *information, size_t len)
{
	uint8_t head[2] = { (uint8_t)(protocol >> 8), (uint8_t)protocol };
	union { const void *in; void *out; } u = { .in = information };
	struct iovec iov[] = { { head, 2 }, { u.out, len } };
	ssize_t n;

	do
		n = writev(fd, iov, 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len + 2 ? 0 : -EMSGSIZE;
}
