/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pppdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ppp-ioctl.h>
#include <sys/ioctl.h>

int pppdev_open(void)
{
	int fd = open("/dev/ppp", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int pppdev_attach_channel(int fd, int channel)
{
	return ioctl(fd, PPPIOCATTCHAN, &channel) < 0 ? -errno : 0;
}

int pppdev_new_unit(int fd, uint32_t *ret_unit)
{
	int unit = -1;

	if (ioctl(fd, PPPIOCNEWUNIT, &unit) < 0)
		return -errno;
	*ret_unit = (uint32_t)unit;
	return 0;
}

int pppdev_connect(int channel_fd, uint32_t unit)
{
	int u = (int)unit;

	return ioctl(channel_fd, PPPIOCCONNECT, &u) < 0 ? -errno : 0;
}

int pppdev_np_mode(int unit_fd, int protocol, bool pass)
{
	struct npioctl np = { .protocol = protocol, .mode = pass ? NPMODE_PASS : NPMODE_DROP };

	return ioctl(unit_fd, PPPIOCSNPMODE, &np) < 0 ? -errno : 0;
}

int pppdev_mru(int unit_fd, uint16_t mru)
{
	int m = mru;

	return ioctl(unit_fd, PPPIOCSMRU, &m) < 0 ? -errno : 0;
}
