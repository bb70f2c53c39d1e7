/* SPDX-License-Identifier: GPL-2.0-or-later */
/* strongSwan, asked over VICI as swanctl does: is it there, what can it do, and what has it been told? */
#include "doctor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vici/msg.h"

enum { PATIENCE_MS = 2000, NAME_SIZE = 96 };

/* One packet (its type first) into buf; its length, or 0: said nothing in time, ended, too long. */
static size_t packet(int fd, uint8_t *buf, size_t size)
{
	struct timespec from, now;
	size_t have = 0, want = 4;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct rd r;
		ssize_t n;
		long left;

		clock_gettime(CLOCK_MONOTONIC, &now);
		left = PATIENCE_MS - (now.tv_sec - from.tv_sec) * 1000 - (now.tv_nsec - from.tv_nsec) / 1000000;
		if (left <= 0 || poll(&p, 1, (int)left) < 1 || (n = recv(fd, buf + have, want - have, 0)) <= 0)
			return 0;
		have += (size_t)n;
		if (have < want)
			continue;
		if (want > 4)
			return want - 4;
		r = rd_init(buf, 4);
		want = rd_u32(&r);
		if (!want || want > size - 4)
			return 0;
		want += 4;
	}
}

static bool say(int fd, enum vici_packet type, const char *name)
{
	uint8_t out[256];
	struct wr w = wr_init(out, sizeof(out));

	vici_packet(&w, type, name, (struct span){ NULL, 0 });
	return !w.bad && send(fd, out, wr_len(&w), MSG_NOSIGNAL) == (ssize_t)wr_len(&w);
}

/* Asks a command without parameters.  Each event meanwhile goes to each(); the answer, in buf, valid; .p NULL: there is none. */
static struct span ask(int fd, const char *command, uint8_t *buf, void (*each)(struct doctor *, struct span), struct doctor *d)
{
	struct span none = { NULL, 0 };
	size_t n;

	if (!say(fd, VICI_CMD_REQUEST, command))
		return none;
	while ((n = packet(fd, buf, VICI_PACKET_MAX))) {
		struct rd r = rd_init(buf + 4, n);
		uint8_t type = rd_u8(&r);
		struct span msg;

		if (type == VICI_EVENT)
			(void)rd_span(&r, rd_u8(&r));
		msg = rd_span(&r, rd_left(&r));
		if (r.bad || !vici_valid(msg))
			return none;
		if (type == VICI_CMD_RESPONSE)
			return msg;
		if (type == VICI_EVENT && each)
			each(d, msg);
		else if (type == VICI_CMD_UNKNOWN)
			return none;
	}
	return none;
}

static bool has(struct span list, const char *what)
{
	struct rd r = rd_init(list.p, list.n);
	struct vici_item it;

	while (vici_next(&r, &it))
		if (vici_is(it.value, what))
			return true;
	return false;
}

static void check_plugins(struct doctor *d, struct span list)
{
	/* each is one that does it, or two */
	static const struct { const char *one, *other, *what; } need_row[] = {
		{ "kernel-netlink", NULL, "puts SAs into the kernel" },
		{ "socket-default", "socket-dynamic", "opens UDP 500 and 4500" },
		{ "openssl", "gmp", "has Diffie-Hellman" }, { "openssl", "aes", "has AES" },
		{ "nonce", NULL, "makes nonces" }, { "openssl", "x509", "reads certificates" }, { "pem", NULL, "reads keys" },
	};
	unsigned n = d->n[WARN] + d->n[BAD];

	for (unsigned i = 0; i < sizeof(need_row) / sizeof(*need_row); i++) {
		char *remedy;

		if (has(list, need_row[i].one) || (need_row[i].other && has(list, need_row[i].other)))
			continue;
		remedy = text("apt install libstrongswan-standard-plugins, and %s { load = yes } in "
			      "/etc/strongswan.d/charon/%s.conf",
			      need_row[i].one, need_row[i].one);
		doctor_found(d, BAD, "charon", remedy, "its plugin %s, which %s, is not loaded", need_row[i].one, need_row[i].what);
		free(remedy);
	}
	if (has(list, "kernel-libipsec"))
		doctor_found(d, BAD, "charon", "kernel-libipsec { load = no } in /etc/strongswan.d/charon/kernel-libipsec.conf",
			     "its plugin kernel-libipsec keeps SAs out of the kernel, which then protects nothing");
	if (has(list, "connmark"))
		doctor_found(d, WARN, "charon", "connmark { load = no } in /etc/strongswan.d/charon/connmark.conf",
			     "its plugin connmark makes iptables rules for the marks that tell callers behind one NAT apart");
	if (has(list, "bypass-lan"))
		doctor_found(d, WARN, "charon", "bypass-lan { load = no } in /etc/strongswan.d/charon/bypass-lan.conf",
			     "its plugin bypass-lan lets neighbours through without IPsec");
	if (!has(list, "revocation"))
		doctor_found(d, WARN, "charon", "revocation { load = yes } in /etc/strongswan.d/charon/revocation.conf",
			     "its plugin revocation is not loaded: a revoked certificate is as good as any");
	if (d->n[WARN] + d->n[BAD] == n)
		doctor_found(d, OK, "charon", NULL, "it has the plugins that are needed");
}

/* The next element of DER (X.690 8.1), if it has this tag; .p NULL and r bad: it has not. */
static struct span der(struct rd *r, uint8_t tag)
{
	struct span none = { NULL, 0 };
	size_t n = 0;
	uint8_t is = rd_u8(r), len = rd_u8(r);

	if (len < 0x80)
		n = len;
	else if (len > 0x84)
		r->bad = true;
	else
		for (unsigned i = len & 0x7f; i; i--)
			n = n << 8 | rd_u8(r);
	if (r->bad || is != tag) {
		r->bad = true;
		return none;
	}
	return rd_span(r, n);
}

/* UTCTime "YYMMDDhhmmssZ" or GeneralizedTime "YYYYMMDDhhmmssZ" (RFC 5280 4.1.2.5). */
static time_t moment(struct rd *r, char text[32])
{
	enum { UTC_TIME = 0x17, GENERALIZED_TIME = 0x18 };
	bool utc = rd_left(r) && *r->p == UTC_TIME;
	struct span s = der(r, utc ? UTC_TIME : GENERALIZED_TIME);
	struct tm tm = { 0 };
	char digits[32];
	const char *from = vici_text(s, digits, sizeof(digits));

	if (r->bad || sscanf(from, utc ? "%2d%2d%2d%2d%2d%2d" : "%4d%2d%2d%2d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			     &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return 0;
	tm.tm_year += utc ? (tm.tm_year < 50 ? 100 : 0) : -1900;
	tm.tm_mon--;
	strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return timegm(&tm);
}

static void certificate(struct doctor *d, struct span msg)
{
	enum { SEQUENCE = 0x30, INTEGER = 0x02, VERSION = 0xa0, SOON_S = 14 * 86400 };
	static const uint8_t common_name[] = { 0x06, 0x03, 0x55, 0x04, 0x03 };
	char from_text[32] = "", until_text[32] = "", name[NAME_SIZE] = "?";
	struct span s = vici_get(msg, "data");
	const uint8_t *cn;
	time_t from, until, now = time(NULL);
	struct rd r, validity;

	if (!vici_is(vici_get(msg, "type"), "X509"))
		return;
	/* RFC 5280 4.1: Certificate { TBSCertificate { version, serial, algorithm, issuer, validity, subject */
	r = rd_init(s.p, s.n);
	s = der(&r, SEQUENCE);
	r = rd_init(s.p, s.n);
	s = der(&r, SEQUENCE);
	r = rd_init(s.p, s.n);
	if (s.n && *s.p == VERSION)
		(void)der(&r, VERSION);
	(void)der(&r, INTEGER);
	(void)der(&r, SEQUENCE);
	(void)der(&r, SEQUENCE);
	s = der(&r, SEQUENCE);
	validity = rd_init(s.p, s.n);
	from = moment(&validity, from_text);
	until = moment(&validity, until_text);
	s = der(&r, SEQUENCE);
	cn = s.p ? memmem(s.p, s.n, common_name, sizeof(common_name)) : NULL;
	if (r.bad || validity.bad)
		return;
	if (cn) {
		struct rd at = rd_init(cn + sizeof(common_name), s.n - (size_t)(cn - s.p) - sizeof(common_name));
		uint8_t len;

		(void)rd_u8(&at);			/* one of the kinds of strings */
		len = rd_u8(&at);
		vici_text(rd_span(&at, len), name, sizeof(name));
	}
	if (from > now)
		doctor_found(d, BAD, "clock", "set the clock: timedatectl set-ntp true (systemd-timesyncd, chrony), or date -s",
			     "certificate %s is valid from %s, which is not yet", name, from_text);
	else if (until < now)
		doctor_found(d, BAD, "clock", "a new certificate, then: ktun reload; or set the clock",
			     "certificate %s was valid until %s", name, until_text);
	else if (until < now + SOON_S)
		doctor_found(d, WARN, "clock", "a new certificate, then: ktun reload",
			     "certificate %s is valid until %s, which is soon", name, until_text);
}

static void check_loaded(struct doctor *d, struct span list)
{
	struct rd r = rd_init(list.p, list.n);
	struct vici_item it;

	while (vici_next(&r, &it))
		d->connections += it.value.n > 6 && !memcmp(it.value.p, "ktund-", 6);
	if (d->connections || !d->ktund)
		doctor_found(d, OK, "charon", NULL, "%u connections of ktund's", d->connections);
	else
		doctor_found(d, WARN, "charon", "ktund's log says what charon refuses",
			     "it has no connection of ktund's (those of tunnels that are down are not there)");
}

static void asked(struct doctor *d, int fd, uint8_t *buf)
{
	char name[NAME_SIZE], number[NAME_SIZE];
	unsigned major = 0, minor = 0;
	struct span answer = ask(fd, "version", buf, NULL, d);

	if (!answer.p) {
		doctor_found(d, d->ipsec ? BAD : WARN, "charon", "systemctl restart strongswan",
			     "it does not answer at %s within 2 s", d->charon);
		return;
	}
	vici_text(vici_get(answer, "daemon"), name, sizeof(name));
	vici_text(vici_get(answer, "version"), number, sizeof(number));
	(void)sscanf(number, "%u.%u", &major, &minor);
	if (major * 100 + minor < 507)
		doctor_found(d, BAD, "charon", "apt install charon-systemd of Debian 12 or later",
			     "%s %s is too old: no set_mark_in", name, number);
	else
		doctor_found(d, OK, "charon", NULL, "%s %s answers at %s", name, number, d->charon);
	answer = ask(fd, "stats", buf, NULL, d);
	if (answer.p)
		check_plugins(d, vici_get(answer, "plugins"));
	answer = ask(fd, "get-conns", buf, NULL, d);
	if (answer.p)
		check_loaded(d, vici_get(answer, "conns"));
	if (say(fd, VICI_EVENT_REGISTER, "list-cert") && packet(fd, buf, VICI_PACKET_MAX))
		(void)ask(fd, "list-certs", buf, certificate, d);
}

void doctor_charon(struct doctor *d)
{
	static const char start[] = "apt install charon-systemd strongswan-swanctl && systemctl enable --now strongswan";
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	enum health health = d->ipsec ? BAD : OK;
	uint8_t *buf;
	int fd;

	if (d->config_known && !d->ipsec) {
		doctor_found(d, OK, "charon", NULL, "not needed: no peer or tunnel must have IPsec");
		return;
	}
	if (strlen(d->charon) >= sizeof(sa.sun_path)) {
		doctor_found(d, BAD, "charon", "a shorter --charon", "%s: too long for a socket", d->charon);
		return;
	}
	strcpy(sa.sun_path, d->charon);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == EACCES)
			doctor_found(d, WARN, "charon", "run ktun doctor as root", "%s: %s", d->charon, strerror(errno));
		else
			doctor_found(d, health, "charon", health == OK ? NULL : start, "%s: %s", d->charon, strerror(errno));
	} else {
		buf = need(malloc(VICI_PACKET_MAX + 4));
		asked(d, fd, buf);
		free(buf);
	}
	if (fd >= 0)
		close(fd);
}
