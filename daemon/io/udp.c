/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

struct udp_rx {
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct sockaddr_storage from[UDP_BATCH];
	_Alignas(struct cmsghdr) char control[UDP_BATCH][256];
	struct dgram dgram[UDP_BATCH];
	uint8_t octets[UDP_BATCH][UDP_MAX];
};

struct udp_rx *udp_rx_new(void)
{
	return calloc(1, sizeof(struct udp_rx));
}

void udp_rx_free(struct udp_rx *rx)
{
	free(rx);
}

static void from_sockaddr(struct endpoint *e, const struct sockaddr_storage *ss)
{
	memset(e, 0, sizeof(*e));
	if (ss->ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, ss, sizeof(in));
		e->family = 4;
		e->port = ntohs(in.sin_port);
		memcpy(e->addr, &in.sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, ss, sizeof(in6));
		e->family = 6;
		e->port = ntohs(in6.sin6_port);
		e->scope = in6.sin6_scope_id;
		memcpy(e->addr, &in6.sin6_addr, 16);
	}
}

socklen_t endpoint_sockaddr(const struct endpoint *e, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (e->family == 4) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(e->port) };

		memcpy(&in.sin_addr, e->addr, 4);
		memcpy(ss, &in, sizeof(in));
		return sizeof(in);
	}
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(e->port), .sin6_scope_id = e->scope };

	memcpy(&in6.sin6_addr, e->addr, 16);
	memcpy(ss, &in6, sizeof(in6));
	return sizeof(in6);
}

static void read_control(struct dgram *d, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_SOCKET && (c->cmsg_type == SO_MARK || c->cmsg_type == SO_RCVMARK)) {
			memcpy(&d->mark, CMSG_DATA(c), sizeof(d->mark));
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(d->local.addr, &info.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(d->local.addr, &info.ipi6_addr, 16);
			d->local.scope = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
		}
	}
}

/* What a raw socket delivers: IPv4's header (RFC 791 3.1), then the zero Session ID. */
static void take_off_ip(struct dgram *d)
{
	size_t n = 4;

	if (d->peer.family == 4)
		n += d->len ? (d->octets[0] & 15u) * 4u : 0;
	if (d->len <= n || memcmp(d->octets + n - 4, "\0\0\0\0", 4)) {
		d->len = 0;
		return;
	}
	d->octets += n;
	d->len -= n;
}

int udp_recv(struct udp_rx *rx, int fd, const struct endpoint *local, struct dgram **ret)
{
	int n;

	for (unsigned i = 0; i < UDP_BATCH; i++) {
		rx->iov[i] = (struct iovec){ rx->octets[i], UDP_MAX };
		rx->msg[i].msg_hdr = (struct msghdr){
			.msg_name = &rx->from[i], .msg_namelen = sizeof(rx->from[i]),
			.msg_iov = &rx->iov[i], .msg_iovlen = 1,
			.msg_control = rx->control[i], .msg_controllen = sizeof(rx->control[i]),
		};
	}
	n = recvmmsg(fd, rx->msg, UDP_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct dgram *d = &rx->dgram[i];

		*d = (struct dgram){ .local = *local, .octets = rx->octets[i], .len = rx->msg[i].msg_len };
		from_sockaddr(&d->peer, &rx->from[i]);
		read_control(d, &rx->msg[i].msg_hdr);
		if (rx->msg[i].msg_hdr.msg_flags & MSG_TRUNC)
			d->len = 0;
		d->peer.encap = local->encap;
		if (local->encap == ENCAP_IP) {
			d->peer.port = 0;	/* of a raw IPv6 socket it is the protocol */
			take_off_ip(d);
		}
	}
	*ret = rx->dgram;
	return n;
}

int udp_send(int fd, const struct endpoint *local, const struct endpoint *peer, uint32_t mark, const void *buf, size_t len)
{
	struct sockaddr_storage to;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(mark))] = { 0 };
	union { const void *in; void *out; } u = { .in = buf };		/* sendmsg does not write */
	struct iovec iov = { u.out, len };
	struct msghdr h = { .msg_name = &to, .msg_namelen = endpoint_sockaddr(peer, &to), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	size_t used;

	if (peer->family == 4) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, local->addr, 4);
		*c = (struct cmsghdr){ .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info)) };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		used = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = local->scope };

		memcpy(&info.ipi6_addr, local->addr, 16);
		*c = (struct cmsghdr){ .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info)) };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		used = CMSG_SPACE(sizeof(info));
	}
	if (mark) {
		struct cmsghdr m = { .cmsg_level = SOL_SOCKET, .cmsg_type = SO_MARK, .cmsg_len = CMSG_LEN(sizeof(mark)) };

		memcpy(control + used, &m, sizeof(m));
		memcpy(control + used + CMSG_LEN(0), &mark, sizeof(mark));
		used += CMSG_SPACE(sizeof(mark));
	}
	h.msg_controllen = used;
	if (sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return -errno;
}

int udp_source(const struct endpoint *peer, struct endpoint *ret_local)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_sockaddr(peer, &ss);
	int fd = socket(peer->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, len))
		err = -errno;
	len = sizeof(ss);
	if (!err && getsockname(fd, (struct sockaddr *)&ss, &len))
		err = -errno;
	close(fd);
	if (err)
		return err;
	from_sockaddr(ret_local, &ss);
	ret_local->port = 0;
	return 0;
}

unsigned udp_path_mtu(const struct endpoint *local, const struct endpoint *peer)
{
	bool v6 = peer->family == 6;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;
	struct endpoint from = *local;
	struct sockaddr_storage ss;
	socklen_t len;

	if (fd < 0)
		return 0;
	from.port = 0;
	len = endpoint_sockaddr(&from, &ss);
	if (!bind(fd, (struct sockaddr *)&ss, len)) {
		len = endpoint_sockaddr(peer, &ss);
		if (!connect(fd, (struct sockaddr *)&ss, len)) {
			len = sizeof(mtu);
			if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &len))
				mtu = 0;
		}
	}
	close(fd);
	return mtu > 0 ? (unsigned)mtu : 0;
}

static uint16_t port_of(int fd, bool peer)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint e = { 0 };

	if (!(peer ? getpeername : getsockname)(fd, (struct sockaddr *)&ss, &len))
		from_sockaddr(&e, &ss);
	return e.port;
}

uint16_t udp_port(int fd)
{
	return port_of(fd, false);
}

uint16_t udp_peer_port(int fd)
{
	return port_of(fd, true);
}

const char *endpoint_text(const struct endpoint *e, char *buf, size_t size)
{
	char name[IF_NAMESIZE];
	size_t n;

	if (!e->family || !inet_ntop(e->family == 4 ? AF_INET : AF_INET6, e->addr, buf, (socklen_t)size))
		snprintf(buf, size, "?");
	n = strlen(buf);
	if (e->scope && if_indextoname(e->scope, name))
		snprintf(buf + n, size - n, "%%%s", name);
	return buf;
}

const char *endpoint_port_text(const struct endpoint *e, char *buf, size_t size)
{
	char a[80];

	endpoint_text(e, a, sizeof(a));
	if (e->encap == ENCAP_IP)
		snprintf(buf, size, "ip:%s", a);
	else
		snprintf(buf, size, e->family == 6 ? "[%s]:%u" : "%s:%u", a, e->port);
	return buf;
}

const char *ipv4_text(uint32_t addr, char buf[16])
{
	uint8_t octet[4];
	char *p = buf;

	memcpy(octet, &addr, sizeof(octet));
	for (unsigned i = 0; i < 4; i++) {
		unsigned n = octet[i];

		if (n >= 100)
			*p++ = (char)('0' + n / 100);
		if (n >= 10)
			*p++ = (char)('0' + n / 10 % 10);
		*p++ = (char)('0' + n % 10);
		*p++ = i < 3 ? '.' : 0;
	}
	return buf;
}
