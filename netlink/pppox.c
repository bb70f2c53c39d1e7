/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pppox.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/if_pppox.h>
#include <linux/ppp-ioctl.h>

#include "keeper.h"

#ifndef SOL_PPPOL2TP
#define SOL_PPPOL2TP 273
#endif

int pppox_socket(void)
{
	int fd = socket(AF_PPPOX, SOCK_DGRAM | SOCK_CLOEXEC, PX_PROTO_OL2TP);

	return fd < 0 ? -errno : fd;
}

/* The kernel tells the variants apart by the exact length. */
int pppox_connect(int fd, const struct k_addr *peer, uint16_t tunnel_id, uint16_t session_id,
		  uint16_t peer_tunnel_id, uint16_t peer_session_id)
{
	struct sockaddr_pppol2tp v4 = { .sa_family = AF_PPPOX, .sa_protocol = PX_PROTO_OL2TP, .pppol2tp = {
		.fd = -1, .s_tunnel = tunnel_id, .s_session = session_id,
		.d_tunnel = peer_tunnel_id, .d_session = peer_session_id } };
	struct sockaddr_pppol2tpin6 v6 = { .sa_family = AF_PPPOX, .sa_protocol = PX_PROTO_OL2TP, .pppol2tp = {
		.fd = -1, .s_tunnel = tunnel_id, .s_session = session_id,
		.d_tunnel = peer_tunnel_id, .d_session = peer_session_id } };
	const void *sa = &v4;
	socklen_t len = sizeof(v4);

	if (peer->family == 6) {
		sa = &v6;
		len = sizeof(v6);
		v6.pppol2tp.addr.sin6_family = AF_INET6;
		v6.pppol2tp.addr.sin6_port = htons(peer->port);
		memcpy(&v6.pppol2tp.addr.sin6_addr, peer->addr, 16);
	} else {
		v4.pppol2tp.addr.sin_family = AF_INET;
		v4.pppol2tp.addr.sin_port = htons(peer->port);
		memcpy(&v4.pppol2tp.addr.sin_addr, peer->addr, 4);
	}
	return connect(fd, sa, len) < 0 ? -errno : 0;
}

int pppox_connect_v3(int fd, const struct k_addr *peer, uint32_t tunnel_id, uint32_t session_id, uint32_t peer_tunnel_id,
		     uint32_t peer_session_id)
{
	struct sockaddr_pppol2tpv3 v4 = { .sa_family = AF_PPPOX, .sa_protocol = PX_PROTO_OL2TP, .pppol2tp = {
		.fd = -1, .s_tunnel = tunnel_id, .s_session = session_id,
		.d_tunnel = peer_tunnel_id, .d_session = peer_session_id } };
	struct sockaddr_pppol2tpv3in6 v6 = { .sa_family = AF_PPPOX, .sa_protocol = PX_PROTO_OL2TP, .pppol2tp = {
		.fd = -1, .s_tunnel = tunnel_id, .s_session = session_id,
		.d_tunnel = peer_tunnel_id, .d_session = peer_session_id } };
	const void *sa = &v4;
	socklen_t len = sizeof(v4);

	v4.pppol2tp.addr.sin_family = AF_INET;
	v6.pppol2tp.addr.sin6_family = AF_INET6;
	if (peer->family == 6) {
		sa = &v6;
		len = sizeof(v6);
	}
	return connect(fd, sa, len) < 0 ? -errno : 0;
}

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PPPOL2TP, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int pppox_mode(int fd, bool lns_mode, bool send_seq, bool recv_seq)
{
	int err = set(fd, PPPOL2TP_SO_LNSMODE, lns_mode);

	if (!err)
		err = set(fd, PPPOL2TP_SO_SENDSEQ, send_seq);
	if (!err)
		err = set(fd, PPPOL2TP_SO_RECVSEQ, recv_seq);
	return err;
}

int pppox_channel(int fd, int *ret_channel)
{
	return ioctl(fd, PPPIOCGCHAN, ret_channel) < 0 ? -errno : 0;
}
