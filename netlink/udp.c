/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "udp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

enum { LISTENER_RCVBUF = 4 << 20, TUNNEL_RCVBUF = 1 << 20 };	/* octets; taken only while something waits */

static socklen_t to_sockaddr(const struct k_addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *s4 = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (a->family == 6) {
		s6->sin6_family = AF_INET6;
		s6->sin6_port = htons(a->port);
		s6->sin6_scope_id = a->scope;
		memcpy(&s6->sin6_addr, a->addr, 16);
		return sizeof(*s6);
	}
	s4->sin_family = AF_INET;
	s4->sin_port = htons(a->port);
	memcpy(&s4->sin_addr, a->addr, 4);
	return sizeof(*s4);
}

static int on(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof(one));
}

void socket_tells(int fd, unsigned family)
{
	on(fd, SOL_SOCKET, SO_RCVMARK);		/* since 5.19; without it there are no marks to tell */
	if (family == 6)
		on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	else
		on(fd, IPPROTO_IP, IP_PKTINFO);
}

/* Socket, address reuse and bind, common to both kinds. */
static int bound(const struct k_addr *local, uint32_t mark, const char **ret_call)
{
	struct sockaddr_storage ss;
	socklen_t len = to_sockaddr(local, &ss);
	int err, fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret_call = "socket(UDP)";
	if (fd < 0)
		return -errno;
	*ret_call = "setsockopt(UDP socket)";
	if (on(fd, SOL_SOCKET, SO_REUSEPORT) < 0 || (local->family == 6 && on(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0))
		goto fail;
	if (mark && udp_set_mark(fd, mark) < 0) {
		*ret_call = "setsockopt(SO_MARK)";
		goto fail;
	}
	socket_tells(fd, local->family);
	*ret_call = "bind(UDP socket)";
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

int udp_marked(const struct k_addr *local, uint32_t mark, const char **ret_call)
{
	return bound(local, mark, ret_call);
}

int udp_set_mark(int fd, uint32_t mark)
{
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ? -errno : 0;
}

int udp_listen(const struct k_addr *local, const char **ret_call)
{
	struct sock_filter first[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog prog = { 1, first };
	int err, size = LISTENER_RCVBUF, fd = bound(local, 0, ret_call);

	if (fd < 0)
		return fd;
	/* After bind(): a socket that has a program of its own cannot join a group.  Tunnels' sockets join this one. */
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog)) < 0) {
		err = -errno;
		*ret_call = "setsockopt(SO_ATTACH_REUSEPORT_CBPF)";
		close(fd);
		return err;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

int udp_connect(const struct k_addr *local, const struct k_addr *peer, uint32_t mark, bool no_csum,
		const char **ret_call)
{
	struct sockaddr_storage ss;
	socklen_t len = to_sockaddr(peer, &ss);
	int err, size = TUNNEL_RCVBUF, fd = bound(local, mark, ret_call);

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*ret_call = "setsockopt(no UDP checksum)";
	if (no_csum && (peer->family == 6 ? on(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX) < 0 || on(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX) < 0
					  : on(fd, SOL_SOCKET, SO_NO_CHECK) < 0))
		goto fail;
	*ret_call = "connect(UDP socket)";
	if (connect(fd, (struct sockaddr *)&ss, len) < 0)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

uint16_t socket_port(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	/* sin_port and sin6_port stand in the same place */
	return ntohs(((struct sockaddr_in *)(void *)&ss)->sin_port);
}
