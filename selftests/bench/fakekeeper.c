/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fakekeeper DIRECTORY [keep]: a keeper without a kernel, so that ktund runs (and is profiled) on any machine.  UDP sockets are
 * real; channel and unit are socket pairs, and what ktund writes to them leaves as L2TP data messages.  What the peer
 * sends reaches ktund by the UDP sockets.  Serves one ktund and ends with it; "keep": serves the next one, too, which
 * finds everything as it was. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "l2tp/data.h"
#include "netlink/udp.h"
#include "netlink/wire.h"

enum { IDS = 65536, LISTENERS = 64, CLIENT = 0, CHANNEL = 1, UNIT = 2, EVENTS = 64 };

struct tunnel { int fd; uint32_t peer_tunnel_id; struct k_request *was; };
struct session { int end[2], theirs[2]; uint16_t tunnel_id, peer_session_id; unsigned unit; bool on, eth; struct k_request *was; };
struct listener { int fd; struct k_addr local; };

struct fake {
	int listen, client, epoll, checkpoints;
	bool keep;
	unsigned sessions, n_listeners;
	struct listener listener[LISTENERS];
	struct tunnel tunnel[IDS];
	struct session session[IDS];
};

static void watch(struct fake *k, int fd, uint64_t kind, uint64_t id)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = kind << 32 | id };

	epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &e);
}

static void reply(struct fake *k, struct k_reply *r, const int *fds, unsigned n)
{
	static uint8_t buf[sizeof(struct k_reply) + sizeof(struct k_list_head)];
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int) * K_MAX_FDS)]; } c = { .h = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * n) } };
	struct iovec iov = { buf, 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	r->n_fds = (uint8_t)n;
	iov.iov_len = k_reply_pack(r, buf);
	if (n) {
		memcpy(CMSG_DATA(&c.h), fds, sizeof(int) * n);
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
	}
	if (sendmsg(k->client, &m, MSG_NOSIGNAL) < 0)
		perror("fakekeeper: sendmsg");
}

/* What is held; nothing is remembered of what serves one ktund only. */
static struct k_request *remember(const struct fake *k, const struct k_request *q)
{
	struct k_request *was = k->keep ? malloc(sizeof(*was)) : NULL;

	if (was)
		*was = *q;
	return was;
}

static void name_of(const struct session *s, char name[16])
{
	snprintf(name, 16, s->eth ? "l2tpeth%u" : "ppp%u", s->unit);
}

static void list(struct fake *k, const struct k_request *q)
{
	static struct k_reply r;

	for (unsigned i = 0; i < k->n_listeners + 2 * IDS; i++) {
		const struct tunnel *t = i >= k->n_listeners && i < k->n_listeners + IDS ? &k->tunnel[i - k->n_listeners] : NULL;
		const struct session *s = i >= k->n_listeners + IDS ? &k->session[i - k->n_listeners - IDS] : NULL;
		const struct k_request *was = t ? t->was : s && s->on ? s->was : NULL;
		struct k_request listen = { .op = K_LISTEN };

		if (i < k->n_listeners) {
			listen.listen.local = k->listener[i].local;
			was = &listen;
		}
		if (!was)
			continue;
		r = (struct k_reply){ .op = K_LIST, .id = q->id, .more = 1, .tunnel_id = was->tunnel_id,
				      .session_id = was->session_id };
		r.list.kind = was->op;
		r.list.was = *was;
		r.list.ifindex = s ? was->session_id : 0;
		if (s)
			name_of(s, r.list.name);
		reply(k, &r, s ? s->theirs : t ? &t->fd : &k->listener[i].fd, s ? s->eth ? 0 : 2 : 1);
	}
	r = (struct k_reply){ .op = K_LIST, .id = q->id };
	reply(k, &r, NULL, 0);
}

static void session_up(struct fake *k, const struct k_request *q, struct k_reply *r)
{
	struct session *s = &k->session[q->session_id];
	int pair[2], theirs[2] = { -1, -1 };

	for (unsigned i = 0; i < 2; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)) {
			perror("fakekeeper: socketpair");
			exit(1);
		}
		s->end[i] = pair[0];
		theirs[i] = pair[1];
		watch(k, pair[0], i ? UNIT : CHANNEL, q->session_id);
	}
	s->on = true;
	s->eth = false;
	s->tunnel_id = q->tunnel_id;
	s->peer_session_id = q->session.peer_session_id;
	r->session.ifindex = q->session_id;
	s->was = remember(k, q);
	s->unit = r->session.unit = k->sessions++;
	r->session.mtu = 1400;
	name_of(s, r->session.name);
	reply(k, r, theirs, 2);
	for (unsigned i = 0; i < 2; i++) {
		s->theirs[i] = theirs[i];
		if (!k->keep)
			close(theirs[i]);
	}
}

/* Nothing goes through it. */
static void eth_up(struct fake *k, const struct k_request *q, struct k_reply *r)
{
	struct session *s = &k->session[q->session_id];

	*s = (struct session){ .on = true, .eth = true, .tunnel_id = q->tunnel_id, .was = remember(k, q), .unit = k->sessions++ };
	r->session.ifindex = q->session_id;
	r->session.mtu = q->eth.mtu ? q->eth.mtu : 1446;
	name_of(s, r->session.name);
	reply(k, r, NULL, 0);
}

static void session_down(const struct fake *k, struct session *s)
{
	if (!s->on)
		return;
	if (k->keep && !s->eth) {
		close(s->theirs[0]);
		close(s->theirs[1]);
	}
	free(s->was);
	s->was = NULL;
	if (!s->eth) {
		close(s->end[0]);
		close(s->end[1]);
	}
	s->on = false;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 sa;			/* the port is where IPv4 has it */
	socklen_t len = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &len) ? 0 : ntohs(sa.sin6_port);
}

static void request(struct fake *k, const struct k_request *q)
{
	struct k_reply r = { .op = q->op, .id = q->id, .tunnel_id = q->tunnel_id, .session_id = q->session_id };
	const char *call = "";
	int fd = -1;

	switch ((enum k_op)q->op) {
	case K_HELLO:
		fd = dup(k->checkpoints);
		r.hello.version = K_VERSION;
		r.hello.pid = (uint32_t)getpid();
		break;
	case K_LISTEN:
		for (unsigned i = 0; q->listen.local.port && i < k->n_listeners; i++)
			if (!memcmp(&k->listener[i].local, &q->listen.local, sizeof(q->listen.local)))
				fd = dup(k->listener[i].fd);
		if (fd >= 0)
			break;
		fd = udp_listen(&q->listen.local, &call);
		r.result = fd < 0 ? fd : 0;
		if (fd >= 0 && k->keep && k->n_listeners < LISTENERS)
			k->listener[k->n_listeners++] = (struct listener){ dup(fd), q->listen.local };
		if (k->n_listeners && fd >= 0 && !q->listen.local.port)
			k->listener[k->n_listeners - 1].local.port = port_of(fd);
		break;
	case K_UNLISTEN:
		for (unsigned i = 0; i < k->n_listeners; i++)
			if (!memcmp(&k->listener[i].local, &q->listen.local, sizeof(q->listen.local))) {
				close(k->listener[i].fd);
				k->listener[i] = k->listener[--k->n_listeners];
				break;
			}
		break;
	case K_TUNNEL_UP:
		fd = udp_connect(&q->tunnel.local, &q->tunnel.peer, q->tunnel.mark, q->tunnel.no_csum, &call);
		r.result = fd < 0 ? fd : 0;
		k->tunnel[q->tunnel_id] = (struct tunnel){ dup(fd), q->tunnel.peer_tunnel_id, remember(k, q) };
		break;
	case K_TUNNEL_DOWN:
		close(k->tunnel[q->tunnel_id].fd);
		free(k->tunnel[q->tunnel_id].was);
		k->tunnel[q->tunnel_id].was = NULL;
		break;
	case K_SESSION_UP:
		session_up(k, q, &r);
		return;
	case K_ETH_UP:
		eth_up(k, q, &r);
		return;
	case K_SESSION_DOWN:
		session_down(k, &k->session[q->session_id]);
		break;
	case K_OPEN:
		fd = open(q->open.path, O_RDONLY | O_CLOEXEC);
		r.result = fd < 0 ? -errno : 0;
		break;
	case K_STOP:
		reply(k, &r, NULL, 0);
		exit(0);
	case K_LIST:
		list(k, q);
		return;
	case K_LINK_SET:
		r.result = k->session[q->session_id].eth ? -EOPNOTSUPP : 0;
		if (k->session[q->session_id].was)
			k->session[q->session_id].was->session.link = q->link;	/* all of it: addresses come together here */
		break;
	case K_STATS: case K_HOOK: case K_EVENT: case K_GUARD: case K_MARKED: case K_CHARON:
	case K_TUNNEL_MARK: case K_SA_DROP: case K_KEPT_OUT:
		break;
	}
	if (r.result)
		snprintf(r.why, sizeof(r.why), "%s", call);
	reply(k, &r, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}

static void frame(struct fake *k, struct session *s, int fd)
{
	uint8_t buf[L2TP_DATA_HEADER + 4096];
	uint8_t *p = buf + L2TP_DATA_HEADER - 2;	/* the protocol number is where the header wants it */
	ssize_t n = recv(fd, p, sizeof(buf) - L2TP_DATA_HEADER, MSG_DONTWAIT);
	struct tunnel *t = &k->tunnel[s->tunnel_id];

	if (n < 2) {
		epoll_ctl(k->epoll, EPOLL_CTL_DEL, fd, NULL);
		return;
	}
	l2tp_data_header(buf, (uint16_t)t->peer_tunnel_id, s->peer_session_id, (uint16_t)(p[0] << 8 | p[1]));
	(void)send(t->fd, buf, L2TP_DATA_HEADER - 2 + (size_t)n, MSG_DONTWAIT);
}

static void serve(struct fake *k, const char *dir)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	k->listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/keeper.sock", dir);
	mkdir(dir, 0755);
	unlink(un.sun_path);
	if (bind(k->listen, (struct sockaddr *)&un, sizeof(un)) || listen(k->listen, 1)) {
		perror(un.sun_path);
		exit(1);
	}
	k->client = accept4(k->listen, NULL, NULL, SOCK_CLOEXEC);
	if (!k->keep)
		unlink(un.sun_path);
}

int main(int argc, char **argv)
{
	struct fake *k = calloc(1, sizeof(*k));
	struct rlimit l;

	if (argc < 2 || argc > 3 || !k) {
		fprintf(stderr, "usage: fakekeeper DIRECTORY [keep]\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	k->keep = argc == 3;
	k->checkpoints = memfd_create("checkpoints", MFD_CLOEXEC);
	serve(k, argv[1]);
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(k, k->client, CLIENT, 0);
	for (;;) {
		struct epoll_event e[EVENTS];
		int n = epoll_wait(k->epoll, e, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct session *s = &k->session[e[i].data.u64 & 0xffff];
			uint64_t kind = e[i].data.u64 >> 32;
			static struct k_request q;

			if (kind == CLIENT) {
				if (recv(k->client, &q, sizeof(q), 0) >= (ssize_t)K_REQUEST_HEAD) {
					request(k, &q);
					continue;
				}
				if (!k->keep)
					return 0;
				close(k->client);
				k->client = accept4(k->listen, NULL, NULL, SOCK_CLOEXEC);
				watch(k, k->client, CLIENT, 0);
			} else if (s->on) {
				frame(k, s, s->end[kind == UNIT]);
			}
		}
	}
}
