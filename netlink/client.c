/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client half: one SEQPACKET socket, requests queued in order, replies one datagram each. */
#include "client.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

struct queued {
	struct queued *next;
	size_t len;
	uint8_t data[];
};

struct keeper_client {
	int fd;
	bool gone;	/* for writing: a reply, or the reason of a refusal, may still be there to read */
	struct queued *first, **last;
};

int keeper_connect(const char *socket_path, struct keeper_client **ret)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct keeper_client *c;
	int err;

	if (strlen(socket_path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, socket_path);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->last = &c->first;
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		err = -errno;
		keeper_disconnect(c);
		return err;
	}
	*ret = c;
	return 0;
}

static void drop_all(struct keeper_client *c)
{
	while (c->first) {
		struct queued *q = c->first;

		c->first = q->next;
		free(q);
	}
	c->last = &c->first;
}

void keeper_disconnect(struct keeper_client *c)
{
	if (!c)
		return;
	drop_all(c);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

int keeper_fd(const struct keeper_client *c)
{
	return c->fd;
}

bool keeper_wants_write(const struct keeper_client *c)
{
	return c->first && !c->gone;
}

int keeper_submit(struct keeper_client *c, const struct k_request *r)
{
	size_t len = k_request_size(r, sizeof(*r));
	struct queued *q;

	if (c->gone)
		return -EPIPE;
	if (!len)
		return -EINVAL;
	q = malloc(sizeof(*q) + len);
	if (!q)
		return -ENOMEM;
	q->next = NULL;
	q->len = len;
	memcpy(q->data, r, len);
	*c->last = q;
	c->last = &q->next;
	return 0;
}

int keeper_flush(struct keeper_client *c)
{
	while (c->first && !c->gone) {
		struct queued *q = c->first;

		if (send(c->fd, q->data, q->len, MSG_NOSIGNAL) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
				return 0;
			/* This time it is no failure yet: the reader is to see first what the keeper said at last. */
			c->gone = true;
			drop_all(c);
			return 0;
		}
		c->first = q->next;
		if (!c->first)
			c->last = &c->first;
		free(q);
	}
	return c->gone ? -EPIPE : 0;
}

int keeper_receive(struct keeper_client *c, struct k_reply *ret, int fds[K_MAX_FDS])
{
	uint8_t buf[sizeof(struct k_reply) + sizeof(struct k_list_head)];
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int) * K_MAX_FDS)]; } cbuf;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &cbuf, .msg_controllen = sizeof(cbuf) };
	unsigned n = 0, reset = 0;
	ssize_t len;

	for (unsigned i = 0; i < K_MAX_FDS; i++)
		fds[i] = -1;
	do
		len = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (len < 0 && (errno == EINTR || (errno == ECONNRESET && !reset++)));	/* what came before that is still there */
	if (len < 0 && errno == EAGAIN)
		return 0;
	if (len <= 0) {
		c->gone = true;
		return -EPIPE;
	}
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t off = 0; CMSG_LEN(off + sizeof(int)) <= h->cmsg_len && n < K_MAX_FDS; off += sizeof(int))
			memcpy(&fds[n++], CMSG_DATA(h) + off, sizeof(int));
	}
	/* MSG_CTRUNC: our own limit of descriptors is reached; the reply would lie about what it carries. */
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || k_reply_unpack(buf, (size_t)len, ret) < 0 || ret->n_fds != n) {
		for (unsigned i = 0; i < n; i++)
			close(fds[i]);
		for (unsigned i = 0; i < K_MAX_FDS; i++)
			fds[i] = -1;
		return -EPROTO;
	}
	return 1;
}
