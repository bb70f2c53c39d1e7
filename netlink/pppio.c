/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev/ppp takes and gives one frame per read() and write(); readv() and writev() would make a frame of each part. */
#include "pppio.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

ssize_t pppio_read(int fd, uint16_t *ret_protocol, void *buf, size_t size)
{
	uint8_t *p = buf;
	ssize_t n;

	do
		n = read(fd, p, size);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == ENXIO || errno == EIO))	/* ENXIO: the unit's link was deleted */
		return -EPIPE;
	if (n < 0)
		return errno == EOVERFLOW ? -EMSGSIZE : -errno;
	if (n == 0)
		return -EPIPE;
	if (n < 2)
		return -EBADMSG;
	*ret_protocol = (uint16_t)(p[0] << 8 | p[1]);
	memmove(p, p + 2, (size_t)n - 2);
	return n - 2;
}

int pppio_write(int fd, uint16_t protocol, const void *information, size_t len)
{
	uint8_t frame[PPPIO_MAX + 2];
	ssize_t n;

	if (len > PPPIO_MAX)
		return -EMSGSIZE;
	frame[0] = (uint8_t)(protocol >> 8);
	frame[1] = (uint8_t)protocol;
	memcpy(frame + 2, information, len);
	do
		n = write(fd, frame, len + 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len + 2 ? 0 : -EMSGSIZE;
}
