/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thread, one poll: the client's requests, the workers' results, the kernel's notes, signals, hooks that end. */
#include <errno.h>
#include <fcntl.h>
#include <netlink/socket.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "alias.h"
#include "check.h"
#include "journal.h"
#include "server.h"
#include "wire.h"

/* Above MAX_OUT replies on their way, or MAX_BUSY errands, no more requests are read: the client waits. */
enum { MAX_OUT = 256, MAX_BUSY = 4096, READ_BATCH = 64, LOG_PER_SECOND = 20,
       STOP_PEERS_MS = 6000, STOP_SAY_MS = 1000, PACE_NS = 1000000 };

struct outgoing {
	struct outgoing *next;
	int fd[K_MAX_FDS];	/* own copies: the object may be gone when its turn comes */
	unsigned n_fds;
	size_t len;
	uint8_t data[];
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t now_ms(void)
{
	return now_ns() / 1000000;
}

static void put_line(const struct keeper *k, const char *text)
{
	if (k->opt.to_syslog)
		syslog(LOG_NOTICE, "%s", text);
	else
		fprintf(stderr, "ktund-keeper: %s\n", text);
}

void say(struct keeper *k, const char *fmt, ...)
{
	int64_t second = now_ms() / 1000;
	char text[512];
	va_list ap;

	if (second != k->log.second) {
		if (k->log.dropped) {
			snprintf(text, sizeof(text), "(%u more lines in that second)", k->log.dropped);
			put_line(k, text);
		}
		k->log.second = second;
		k->log.lines = k->log.dropped = 0;
	}
	if (k->log.lines++ >= LOG_PER_SECOND) {
		k->log.dropped++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_line(k, text);
}

/* The client */

static void out_drop(struct keeper *k)
{
	struct outgoing *o = k->out;

	k->out = o->next;
	if (!k->out)
		k->out_last = &k->out;
	k->n_out--;
	for (unsigned i = 0; i < o->n_fds; i++)
		close(o->fd[i]);
	free(o);
}

/* Everything that it ordered goes on; the next client will see it in K_LIST. */
static void client_gone(struct keeper *k, const char *how)
{
	say(k, "ktund is gone (%s); keeping %u tunnels and %u sessions", how, table_tunnels(k->table),
	    table_sessions(k->table));
	close(k->client);
	k->client = -1;
	k->greeted = false;
	while (k->out)
		out_drop(k);
	if (k->listing)		/* nobody will end it */
		k->n_pending--;
	k->listing = false;
	k->gen++;
	k->n_old += k->n_pending;
	k->n_pending = 0;
}

static int transmit(int sock, const void *data, size_t len, const int *fds, unsigned n)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int) * K_MAX_FDS)]; } c = { 0 };
	union { const void *in; void *out; } u = { .in = data };
	struct iovec iov = { u.out, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (n) {
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&c.h), fds, sizeof(int) * n);
	}
	do
		sent = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* ETOOMANYREFS: too many descriptors are on their way and the client has not taken them yet. */
static bool try_later(int err)
{
	return err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM || err == -ETOOMANYREFS;
}

static void post(struct keeper *k, const struct k_reply *r, const int *fds, unsigned n)
{
	uint8_t data[sizeof(*r) + sizeof(struct k_list_head)];
	size_t len = k_reply_pack(r, data);
	struct outgoing *o;

	if (!k->out) {
		int err = transmit(k->client, data, len, fds, n);

		if (!try_later(err))
			return;		/* sent, or the client is dead, which poll() will say */
	}
	o = malloc(sizeof(*o) + len);
	if (!o) {
		client_gone(k, "no memory for its replies");
		return;
	}
	o->next = NULL;
	o->len = len;
	o->n_fds = n;
	memcpy(o->data, data, len);
	for (unsigned i = 0; i < n; i++) {
		o->fd[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (o->fd[i] < 0) {
			o->n_fds = i;
			*k->out_last = o;
			k->out_last = &o->next;
			k->n_out++;
			client_gone(k, "no descriptor for its replies");
			return;
		}
	}
	*k->out_last = o;
	k->out_last = &o->next;
	k->n_out++;
}

static void flush_out(struct keeper *k)
{
	while (k->out && k->client >= 0) {
		int err = transmit(k->client, k->out->data, k->out->len, k->out->fd, k->out->n_fds);

		if (try_later(err))
			return;
		if (err) {
			client_gone(k, strerror(-err));
			return;
		}
		out_drop(k);
	}
}

void answer(struct keeper *k, const struct origin *from, struct k_reply *r, const int *fds, unsigned n_fds)
{
	bool current = from->gen == k->gen && k->client >= 0;

	if (!from->op)
		return;
	if (!r->more && from->op != K_HOOK && from->gen == k->gen)
		k->n_pending--;
	else if (!r->more && from->op != K_HOOK)
		k->n_old--;
	if (!current)
		return;
	r->op = from->op;
	r->id = from->id;
	if (from->op != K_LIST) {
		r->tunnel_id = from->tunnel_id;
		r->session_id = from->session_id;
	}
	r->n_fds = (uint8_t)n_fds;
	post(k, r, fds, n_fds);
}

void answer_result(struct keeper *k, const struct origin *from, int result, const char *why)
{
	struct k_reply r;

	k_reply_init(&r);
	r.result = result;
	snprintf(r.why, sizeof(r.why), "%s", result ? why : "");
	answer(k, from, &r, NULL, 0);
}

void tell_event(struct keeper *k, enum k_event_what what, uint16_t tunnel_id, uint16_t session_id)
{
	struct k_reply r = { .op = K_EVENT, .tunnel_id = tunnel_id, .session_id = session_id };

	r.event.what = what;
	tell_event_reply(k, &r);
}

void tell_event_reply(struct keeper *k, const struct k_reply *r)
{
	if (k->client >= 0 && k->greeted)
		post(k, r, NULL, 0);
}

static void hello(struct keeper *k, const struct origin *from, uint32_t version)
{
	struct k_reply r = { 0 };

	k->greeted = true;
	k->client_version = version;
	r.hello.version = K_VERSION;
	r.hello.pid = (uint32_t)getpid();
	r.hello.n_tunnels = table_tunnels(k->table);
	r.hello.n_sessions = table_sessions(k->table);
	answer(k, from, &r, &k->checkpoints, 1);
}

static void request(struct keeper *k, const struct k_request *r, size_t len)
{
	char why[WHY_SIZE] = "";
	struct origin from = { .gen = k->gen };
	int err = check_request(r, len, why);

	if (len < K_REQUEST_HEAD) {
		client_gone(k, "it talks nonsense");
		return;
	}
	from.op = r->op;
	from.id = r->id;
	from.tunnel_id = r->tunnel_id;
	from.session_id = r->session_id;
	if (!from.op) {
		client_gone(k, "it talks nonsense");
		return;
	}
	if (from.op != K_HOOK)		/* may take as long as it likes: nobody waits for a hook */
		k->n_pending++;
	if (err)
		answer_result(k, &from, err, why);
	else if (r->op == K_HELLO)
		hello(k, &from, r->hello.version);
	else if (!k->greeted)
		answer_result(k, &from, -EPROTO, "K_HELLO comes first");
	else
		ops_handle(k, &from, r);
}

static void read_requests(struct keeper *k)
{
	union { struct k_request r; char octets[sizeof(struct k_request) + 1]; } u;

	for (unsigned i = 0; i < READ_BATCH && k->client >= 0 && k->n_out <= MAX_OUT; i++) {
		ssize_t n = recv(k->client, &u, sizeof(u), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			client_gone(k, n ? strerror(errno) : "it closed");
		else
			request(k, &u.r, (size_t)n);
	}
}

static void refuse(int sock, int result, const char *why)
{
	struct k_reply r = { .op = K_HELLO, .result = result };
	uint8_t data[sizeof(r) + sizeof(struct k_list_head)];

	snprintf(r.why, sizeof(r.why), "%s", why);
	transmit(sock, data, k_reply_pack(&r, data), NULL, 0);
	/* Unread requests would turn the end of the connection into ECONNRESET, which overtakes the reason. */
	while (recv(sock, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	close(sock);
}

static void accept_client(struct keeper *k)
{
	int sock = accept4(k->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct pollfd p = { .fd = k->client, .events = POLLIN };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	char why[WHY_SIZE];

	if (sock < 0)
		return;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid && peer.uid != k->opt.uid && peer.uid != getuid())) {
		say(k, "refused uid %d: only root and the user of --user may connect", (int)peer.uid);
		refuse(sock, -EPERM, "only root and ktund's own user may talk to the keeper");
		return;
	}
	/* A client that is dead but not noticed yet makes room. */
	if (k->client >= 0 && poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR)) {
		read_requests(k);
		if (k->client >= 0)
			client_gone(k, "its socket is dead");
	}
	if (k->client >= 0) {
		struct ucred old = { 0 };

		len = sizeof(old);
		getsockopt(k->client, SOL_SOCKET, SO_PEERCRED, &old, &len);
		snprintf(why, sizeof(why), "another ktund (process %d) is connected to this keeper", (int)old.pid);
		refuse(sock, -EBUSY, why);
		return;
	}
	k->client = sock;
	say(k, "ktund (process %d) connected", (int)peer.pid);
}

/* Start and end */

static int open_socket(struct keeper *k)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/keeper.sock", k->opt.runtime_dir);
	mode_t mask;
	int fd, err;

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	unlink(sa.sun_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(mask);
	/* Whoever may write the directory could have put a symbolic link in its place by now. */
	if (!err && k->opt.uid != getuid() && fchownat(AT_FDCWD, sa.sun_path, k->opt.uid, k->opt.gid, AT_SYMLINK_NOFOLLOW) < 0)
		err = -errno;
	if (!err && listen(fd, 8) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	k->listen = fd;
	return 0;
}

static int take_lock(struct keeper *k)
{
	char path[4096], pid[16];
	int n = snprintf(path, sizeof(path), "%s/keeper.lock", k->opt.runtime_dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	k->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (k->lock < 0)
		return -errno;
	if (flock(k->lock, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(k->lock, 0) < 0 || pwrite(k->lock, pid, (size_t)n, 0) < 0)
		return -errno;
	return 0;
}

static void raise_limit(struct keeper *k)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	getrlimit(RLIMIT_NOFILE, &l);
	say(k, "%llu descriptors allowed: enough for %llu sessions", (unsigned long long)l.rlim_cur,
	    l.rlim_cur > 256 ? (unsigned long long)(l.rlim_cur - 256) / 3 : 0);
}

static int catch_signals(struct keeper *k)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR2);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return k->signals < 0 ? -errno : 0;
}

/* sd_notify(3)'s protocol, and one line for whoever started us by hand. */
static void tell_ready(struct keeper *k)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;

	if (k->opt.notify_fd >= 0) {
		if (write(k->opt.notify_fd, "ready\n", 6) < 0)
			say(k, "cannot tell that we are ready: %s", strerror(errno));
		close(k->opt.notify_fd);
	}
	if (len > 1 && len < sizeof(sa.sun_path)) {
		int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		memcpy(sa.sun_path, path, len);
		if (sa.sun_path[0] == '@')
			sa.sun_path[0] = 0;
		if (fd >= 0) {
			sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&sa,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
			close(fd);
		}
	}
}

/* What a keeper that takes over has from the one before. */
static int start_anew(struct keeper *k, const char **ret_what)
{
	int err = take_lock(k);

	*ret_what = err == -EAGAIN ? "another keeper serves this directory" : "keeper.lock";
	if (!err)
		err = journal_open(k->opt.runtime_dir, &k->journal, ret_what);
	if (!err) {
		audit_sweep(k);
		*ret_what = "memfd for checkpoints";
		k->checkpoints = memfd_create("ktund-checkpoints", MFD_CLOEXEC);
		err = k->checkpoints < 0 ? -errno : 0;
	}
	if (!err) {
		*ret_what = "keeper.sock";
		err = open_socket(k);
	}
	return err;
}

/* Without it ktund works, but for what it keeps out. */
static void gate_again(struct keeper *k)
{
	bool there = k->gate.fd >= 0;
	char why[WHY_SIZE];
	int err;

	if (gate_start(&k->gate, why)) {
		say(k, "%s: there is no gate against data for other peers' sessions.  Remedy: modprobe nf_tables (kernel "
		    "option NF_TABLES_INET), then ktund --upgrade-keeper", why);
		return;
	}
	for (unsigned id = 1; id < 65536; id++) {
		const struct tunnel *t = table_tunnel(k->table, id);
		struct gate_tunnel gated = t ? gate_tunnel_of(t) : (struct gate_tunnel){ 0 };

		if (t && (there ? gate_adopt(&k->gate, &gated) : gate_add(&k->gate, &gated, why)))
			say(k, "tunnel %u: no gate: %s", id, there ? strerror(ENOMEM) : why);
	}
	if (!there && k->guards && (err = gate_plain(&k->gate, k->guards->guard.rule, k->guards->guard.n, false)))
		say(k, "nf_tables: no second belt for IPsec: %s", strerror(-err));
}

static int start(struct keeper *k)
{
	const char *what = "memory";
	int err;

	if (k->opt.take_over >= 0)
		upgrade_look(k);
	if (getrandom(&k->group, sizeof(k->group), 0) < 0)
		k->group = (uint32_t)getpid() << 8;
	k->group = 0x40000000 | (k->group & 0x3fffffff);
	raise_limit(k);
	k->table = table_new();
	k->workers = workers_new(WORKERS_MAX);
	k->aliases = aliases_new();
	err = k->table && k->workers && k->aliases ? 0 : -ENOMEM;
	if (!err)
		err = k->opt.take_over >= 0 ? upgrade_take_over(k, &what) : start_anew(k, &what);
	if (!err) {
		gate_again(k);
		what = "signals";
		err = catch_signals(k);
	}
	if (!err && k->opt.drop) {
		what = "dropping privileges";
		err = k->opt.drop(k->opt.config_dir);
	}
	if (err) {
		say(k, "%s: %s: %s", k->opt.runtime_dir, what, strerror(-err));
		return err;
	}
	k->pins.journal = k->journal;
	k->next_audit = now_ms() + k->opt.audit_ms;
	watch_start(k);
	if (k->opt.take_over >= 0)
		upgrade_done(k);
	return 0;
}

static void finish(struct keeper *k)
{
	char path[4096];

	guard_stop(k);
	workers_free(k->workers);
	watch_stop(k);
	while (k->out)
		out_drop(k);
	for (unsigned i = 0; i < k->n_listeners; i++)
		listener_close(&k->listener[i]);
	if (k->listen >= 0) {
		snprintf(path, sizeof(path), "%s/keeper.sock", k->opt.runtime_dir);
		unlink(path);
		close(k->listen);
	}
	for (unsigned i = 0; i < 4; i++) {
		int fd = (int[]){ k->client, k->signals, k->checkpoints, k->lock }[i];

		if (fd >= 0)
			close(fd);
	}
	hooks_free(k);
	nl_done(&k->nl);
	aliases_free(k->aliases);
	gate_done(&k->gate);
	free(k->guards);
	pins_done(&k->pins);
	journal_close(k->journal);
	table_free(k->table);
}

void stop_begin(struct keeper *k, const struct origin *by)
{
	if (k->stopping) {
		if (by)
			answer_result(k, by, -EALREADY, "it is stopping already");
		return;
	}
	if (by)
		k->stop.by = *by;
	if (!k->stop.from) {
		k->stop.from = now_ms();
		k->stop.tunnels = k->stop.sessions = k->stop.links = k->stop.batches = k->stop.hooks = 0;
	}
	if (!by && k->client >= 0 && k->greeted && table_tunnels(k->table)) {
		k->stop.told = true;		/* ktund tells the peers, and then us, tunnel by tunnel */
		tell_event(k, K_STOPPING, 0, 0);
		return;
	}
	k->stopping = true;
	k->stop.said = now_ms();
	ops_take_all_down(k);
}

/* The time that ktund has is over, or everything went already; a line a second on how far we are. */
static void stop_tick(struct keeper *k)
{
	int64_t now = now_ms();
	struct k_reply r = { .more = 1 };

	if (k->stop.told && !k->stopping &&
	    (now - k->stop.from >= STOP_PEERS_MS || !table_tunnels(k->table) || k->client < 0)) {
		k->stopping = true;
		k->stop.said = now;
		ops_take_all_down(k);
	}
	if (!k->stopping || now - k->stop.said < STOP_SAY_MS)
		return;
	k->stop.said = now;
	r.stop.n_tunnels = table_tunnels(k->table);
	r.stop.n_sessions = table_sessions(k->table);
	say(k, "stopping: %u tunnels, %u sessions, %u hooks left", r.stop.n_tunnels, r.stop.n_sessions,
	    k->n_hooks + k->n_hooks_queued);
	if (!k->out)
		answer(k, &k->stop.by, &r, NULL, 0);
}

static int stop_timeout(const struct keeper *k)
{
	int64_t at = k->stopping ? k->stop.said + STOP_SAY_MS : k->stop.from + STOP_PEERS_MS, now = now_ms();

	if (!k->stop.from)
		return -1;
	return at <= now ? 0 : (int)(at - now);
}

static void signalled(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR2)
			upgrade_begin(k);
		if (k->stop.from || info.ssi_signo == SIGUSR2)
			continue;
		say(k, "%s: taking down %u tunnels and %u sessions", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT",
		    table_tunnels(k->table), table_sessions(k->table));
		stop_begin(k, NULL);
	}
}

static bool all_down(const struct keeper *k)
{
	return k->stopping && !table_tunnels(k->table) && !workers_busy(k->workers) && !k->hooks && !k->hook_first;
}

static void say_goodbye(struct keeper *k)
{
	struct k_reply r = { 0 };
	int64_t until = now_ms() + 2000;

	say(k, "stopped; took down %u tunnels and %u sessions in %lld ms, %u of their links in %u batches; %u hooks ran out of "
	    "time",
	    k->stop.tunnels, k->stop.sessions, (long long)(now_ms() - k->stop.from), k->stop.links, k->stop.batches,
	    k->stop.hooks);
	r.stop.n_tunnels = k->stop.tunnels;
	r.stop.n_sessions = k->stop.sessions;
	answer(k, &k->stop.by, &r, NULL, 0);
	while (k->out && k->client >= 0 && now_ms() < until) {
		struct pollfd p = { .fd = k->client, .events = POLLOUT };

		if (poll(&p, 1, 100) > 0)
			flush_out(k);
	}
}

static int soonest(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int timeout(const struct keeper *k)
{
	int next = soonest(watch_timeout(k), hook_timeout(k));

	return soonest(next, soonest(upgrade_timeout(k), soonest(audit_timeout(k), stop_timeout(k))));
}

/* Requests and threads that end come in swarms, and a turn for each of them would cost more than they do: turns are PACE_NS
 * apart, and what comes after a pause is taken at once. */
static void pace(const struct keeper *k)
{
	int64_t left = k->turn_ns + PACE_NS - now_ns();
	struct timespec rest = { .tv_nsec = (long)left };

	if (left > 0)
		nanosleep(&rest, NULL);
}

enum { P_LISTEN, P_CLIENT, P_WORKERS, P_SIGNALS, P_LINKS, P_L2TP, P_HOOKS };

static void turn(struct keeper *k)
{
	struct pollfd p[P_HOOKS + MAX_HOOKS] = {
		[P_LISTEN] = { k->listen, POLLIN, 0 },
		[P_CLIENT] = { k->client, 0, 0 },
		[P_WORKERS] = { workers_fd(k->workers), POLLIN, 0 },
		[P_SIGNALS] = { k->signals, POLLIN, 0 },
		[P_LINKS] = { k->link_notes ? nl_socket_get_fd(k->link_notes) : -1, POLLIN, 0 },
		[P_L2TP] = { k->l2tp_notes ? nl_socket_get_fd(k->l2tp_notes) : -1, POLLIN, 0 },
	};
	unsigned n = P_HOOKS + hook_poll(k, p + P_HOOKS);
	struct job *j;

	if (k->n_out <= MAX_OUT && workers_busy(k->workers) <= MAX_BUSY && !k->upgrade.wanted)
		p[P_CLIENT].events |= POLLIN;
	if (k->out)
		p[P_CLIENT].events |= POLLOUT;
	pace(k);
	if (poll(p, n, timeout(k)) < 0 && errno != EINTR)
		say(k, "poll: %s", strerror(errno));
	k->turn_ns = now_ns();
	/* First what a thread has learnt, then what the kernel says about it. */
	while ((j = workers_ended(k->workers)))
		j->done(j, k);
	if (p[P_SIGNALS].revents)
		signalled(k);
	if (p[P_LINKS].revents)
		watch_link_notes(k);
	if (p[P_L2TP].revents)
		watch_l2tp_notes(k);
	watch_tick(k);
	audit_tick(k);
	hook_tick(k);
	if (k->client >= 0 && p[P_CLIENT].revents & POLLOUT)
		flush_out(k);
	if (k->client >= 0 && p[P_CLIENT].revents & POLLIN)
		read_requests(k);
	else if (k->client >= 0 && p[P_CLIENT].revents & (POLLHUP | POLLERR))
		client_gone(k, "its socket is dead");
	if (p[P_LISTEN].revents)
		accept_client(k);
	query_list_more(k);
	ops_kick(k);
	upgrade_tick(k);
	stop_tick(k);
}

int keeper_run(struct keeper_options opt)
{
	struct keeper k = { .opt = opt, .lock = -1, .listen = -1, .client = -1, .signals = -1, .checkpoints = -1, .gen = 1,
			   .guarding = true, .eth_turn = PTHREAD_MUTEX_INITIALIZER };
	int err;

	k.out_last = &k.out;
	k.unlink_last = &k.unlink_first;
	k.eth_last = &k.eth_first;
	k.hook_last = &k.hook_first;
	pins_init(&k.pins);
	gate_init(&k.gate);
	err = start(&k);
	if (!err) {
		if (opt.take_over < 0)
			tell_ready(&k);
		while (!all_down(&k))
			turn(&k);
		say_goodbye(&k);
	}
	finish(&k);
	return err;
}
