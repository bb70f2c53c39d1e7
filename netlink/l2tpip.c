/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "l2tpip.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>	/* before linux/l2tp.h: they quarrel otherwise */
#include <linux/l2tp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"
#include "udp.h"

enum { L2TP_PROTOCOL = 115, LISTENER_RCVBUF = 4 << 20 };	/* octets; taken only while something waits */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_l2tpip ip;
	struct sockaddr_l2tpip6 ip6;
};

static socklen_t to_address(const struct k_addr *a, uint32_t id, union address *ret)
{
	*ret = (union address){ 0 };
	if (a->family == 6) {
		ret->ip6.l2tp_family = AF_INET6;
		memcpy(&ret->ip6.l2tp_addr, a->addr, 16);
		ret->ip6.l2tp_scope_id = a->scope;
		ret->ip6.l2tp_conn_id = id;
		return sizeof(ret->ip6);
	}
	ret->ip.l2tp_family = AF_INET;
	memcpy(&ret->ip.l2tp_addr, a->addr, 4);
	ret->ip.l2tp_conn_id = id;
	return sizeof(ret->ip);
}

static int filter(int fd, const struct sock_filter *code, unsigned n)
{
	union { const struct sock_filter *in; struct sock_filter *out; } u = { .in = code };	/* the kernel only reads it */
	struct sock_fprog prog = { (unsigned short)n, u.out };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* A socket of l2tp_ip that hears nothing. */
static int deaf(const struct k_addr *local, uint32_t id, const char **ret_call)
{
	static const struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	union address at;
	socklen_t len = to_address(local, id, &at);
	int err, fd = socket(at.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, L2TP_PROTOCOL);

	*ret_call = "socket(IP, protocol 115)";
	if (fd < 0)
		return -errno;
	*ret_call = "setsockopt(IP socket)";
	if (filter(fd, nothing, 1) < 0)
		goto fail;
	*ret_call = "bind(IP socket)";
	if (bind(fd, &at.any, len) < 0)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

static int raw_socket(int family)
{
	int fd, err;

	capng_get_caps_process();
	if (capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW)) {
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_NET_RAW);
		capng_apply(CAPNG_SELECT_CAPS);
	}
	fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, L2TP_PROTOCOL);
	err = -errno;
	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_NET_RAW);
	capng_apply(CAPNG_SELECT_CAPS);
	return fd < 0 ? err : fd;
}

/* Control messages only.  The filter sees IPv4's header, and what follows IPv6's. */
static int only_control(int fd, uint8_t family)
{
	const struct sock_filter v4[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	}, v6[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return family == 6 ? filter(fd, v6, sizeof(v6) / sizeof(v6[0])) : filter(fd, v4, sizeof(v4) / sizeof(v4[0]));
}

/* Bound from the first: unbound it would hear what is for other addresses.  A raw socket could send anything from any
 * address; shut down for that it says ENOTCONN, and can send no more. */
static int hears(const struct k_addr *local, const char **ret_call)
{
	int err, size = LISTENER_RCVBUF, fd = raw_socket(local->family == 6 ? AF_INET6 : AF_INET);
	bool v6 = local->family == 6;
	union address at;

	*ret_call = "socket(IP, protocol 115, raw)";
	if (fd < 0)
		return fd;
	to_address(local, 0, &at);
	*ret_call = "setsockopt(IP socket)";
	if (only_control(fd, local->family) < 0)
		goto fail;
	socket_tells(fd, local->family);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*ret_call = "bind(raw IP socket)";
	if (bind(fd, &at.any, v6 ? sizeof(at.in6) : sizeof(at.in)) < 0)
		goto fail;
	*ret_call = "shutdown(raw IP socket)";
	if (shutdown(fd, SHUT_WR) < 0 && errno != ENOTCONN)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

int l2tpip_listen(const struct k_addr *local, int ret_fd[2], const char **ret_call)
{
	int fd = deaf(local, 0, ret_call), raw;

	if (fd < 0)
		return fd;
	raw = hears(local, ret_call);
	if (raw < 0) {
		close(fd);
		return raw;
	}
	ret_fd[0] = raw;
	ret_fd[1] = fd;
	return 0;
}

int l2tpip_connect(const struct k_addr *local, const struct k_addr *peer, uint32_t tunnel_id, uint32_t peer_tunnel_id,
		   uint32_t mark, const char **ret_call)
{
	int err, fd = deaf(local, tunnel_id, ret_call);
	union address to;
	socklen_t len;

	if (fd < 0)
		return fd;
	len = to_address(peer, peer_tunnel_id, &to);
	*ret_call = "setsockopt(SO_MARK)";
	if (mark && udp_set_mark(fd, mark) < 0)
		goto fail;
	*ret_call = "connect(IP socket)";
	if (connect(fd, &to.any, len) < 0)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}
