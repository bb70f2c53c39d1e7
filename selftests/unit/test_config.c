/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration loader.  Golden pairs: config/NAME.conf and what it loads
 * to, or what is said of it, in NAME.ok (`test_config write` renews them; read
 * the difference before believing it). */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/config.h"
#include "core/config_diff.h"
#include "core/config_int.h"

static const char golden_dir[] = "selftests/unit/config", man_page[] = "scripts/man/ktund.conf.5";
static const char example[] = "scripts/ktund.conf.example";
static char tmp[] = "/tmp/test_config.XXXXXX";
static unsigned failed;

static void verdict(bool ok, const char *what, const char *detail)
{
	printf("%s - %s%s%s\n", ok ? "ok" : "not ok", what, ok || !detail ? "" : ": ", ok || !detail ? "" : detail);
	failed += !ok;
}

static char *slurp(const char *path)
{
	FILE *fp = fopen(path, "r"), *out;
	char *text = NULL, buf[4096];
	size_t size, n;

	if (!fp)
		return NULL;
	out = open_memstream(&text, &size);
	while ((n = fread(buf, 1, sizeof(buf), fp)) > 0)
		fwrite(buf, 1, n, out);
	fclose(out);
	fclose(fp);
	return text;
}

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *fp = fopen(path, "w");

	if (!fp || fputs(text, fp) < 0 || fclose(fp)) {
		perror(path);
		exit(1);
	}
	chmod(path, mode);
}

/* Files live in tmp, where their modes are ours.  *arg counts what was opened. */
static int open_in_tmp(void *arg, const char *path)
{
	char full[PATH_MAX];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", tmp, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	*(unsigned *)arg += fd >= 0;
	return fd < 0 ? -errno : fd;
}

static int load(const char *file, struct config **ret, char **errors)
{
	unsigned opened = 0;
	struct conf_opener opener = { open_in_tmp, &opened };

	return config_load(file, &opener, ret, errors);
}

/* Loads text; NULL and *errors if it is no good. */
static struct config *load_text(const char *text, char **errors)
{
	char path[PATH_MAX];
	struct config *c = NULL;

	snprintf(path, sizeof(path), "%s/text.conf", tmp);
	put(path, text, 0600);
	load("text.conf", &c, errors);
	return c;
}

static void copy_dir(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *e;

	mkdir(to, 0700);
	while (d && (e = readdir(d))) {
		char a[PATH_MAX], b[PATH_MAX];
		struct stat st;
		char *text;

		snprintf(a, sizeof(a), "%s/%s", from, e->d_name);
		snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
		if (e->d_name[0] == '.' || stat(a, &st))
			continue;
		if (S_ISDIR(st.st_mode)) {
			copy_dir(a, b);
			continue;
		}
		text = slurp(a);
		put(b, text, strcmp(e->d_name, "secret-mode.inc") ? 0600 : 0644);
		free(text);
	}
	if (d)
		closedir(d);
}

/* Every key whose value is not the table's default, as a user would have to write it. */
static void dump_keys(FILE *out, const char *indent, void *const base[B_N])
{
	for (unsigned i = 0; i < conf_n_keys; i++) {
		const struct conf_key *k = &conf_keys[i];
		char buf[300];
		const char *is, *was = k->def;

		if (!base[k->base] || (k->base == B_PEER && k->kind != K_MATCH && strcmp(k->name, "host-name")))
			continue;
		is = conf_show(k, base, buf, sizeof(buf));
		if (k->kind == K_SECRET) {
			char *p;

			memcpy(&p, (uint8_t *)base[k->base] + k->off, sizeof(p));
			is = p ? p : "none";
		}
		if (k->kind == K_SPAN) {
			struct span s;

			memcpy(&s, (uint8_t *)base[k->base] + k->off, sizeof(s));
			snprintf(buf, sizeof(buf), "%.*s", (int)s.n, s.n ? (const char *)s.p : "");
			is = s.n ? buf : "none";
		}
		if (!strcmp(is, "none") || !strcmp(is, "0 prefixes") || !strcmp(is, "any") ||
		    (was && !strcmp(was, is) && strcmp(k->name, "ipsec")))
			continue;
		if (!was && k->base == B_CC && strstr(k->name, "host-name") && strncmp(is, "\"gw", 3))
			continue;	/* the machine's */
		if (!strcmp(k->name, "auth-name") || (k->base == B_GLOBAL && !strcmp(k->name, "host-name")))
			continue;
		fprintf(out, "%s%s = %s\n", indent, k->name, is);
	}
}

static void dump_policy(FILE *out, const char *indent, const struct policy *p)
{
	fprintf(out, "%sdemand %d %d %d allow %d %d %d %s\n", indent, p->ppp.auth[0], p->ppp.auth[1], p->ppp.auth[2],
		p->ppp.allow[0], p->ppp.allow[1], p->ppp.allow[2], p->ppp.take ? "take" : "give");
	for (unsigned i = 0; i < p->n_routes; i++) {
		char buf[64];

		fprintf(out, "%sroute %s\n", indent, conf_addr_str(&p->route[i], buf, sizeof(buf)));
	}
}

static char *dump(struct config *c)
{
	char *text = NULL, buf[64];
	size_t size;
	FILE *out = open_memstream(&text, &size);
	void *base[B_N] = { [B_GLOBAL] = c };

	dump_keys(out, "", base);
	for (unsigned i = 0; i < c->n_listens; i++)
		fprintf(out, "listen %s %u\n", conf_addr_str(&c->listen[i].addr, buf, sizeof(buf)), c->listen[i].addr.port);
	for (unsigned i = 0; i < c->n_pools; i++) {
		fprintf(out, "pool %s", c->pool[i].name);
		for (unsigned j = 0; j < c->pool[i].n_ranges; j++)
			fprintf(out, " %08x-%08x", c->pool[i].range[j].first, c->pool[i].range[j].last);
		fprintf(out, "\n");
	}
	for (unsigned i = 0; i < c->n_users; i++) {
		memset(base, 0, sizeof(base));
		base[B_USER] = &c->user[i];
		fprintf(out, "user %s (%s:%u)\n", c->user[i].name, c->user[i].pos.file, c->user[i].pos.line);
		dump_keys(out, "  ", base);
	}
	for (unsigned i = 0; i < c->n_peers; i++) {
		fprintf(out, "peer %s\n", c->peer[i].name);
		conf_bases_peer(base, &c->peer[i]);
		dump_keys(out, "  ", base);
		dump_policy(out, "  ", &c->peer[i].policy);
		for (unsigned j = 0; j < c->peer[i].n_sessions; j++) {
			fprintf(out, "  session \"%s\"\n", c->peer[i].session[j].name);
			conf_bases_session(base, &c->peer[i].session[j]);
			dump_keys(out, "    ", base);
		}
	}
	for (unsigned i = 0; i < c->n_tunnels; i++) {
		fprintf(out, "tunnel %s\n", c->tunnel[i].name);
		conf_bases_tunnel(base, &c->tunnel[i]);
		dump_keys(out, "  ", base);
		for (unsigned j = 0; j < c->tunnel[i].n_sessions; j++) {
			fprintf(out, "  session \"%s\"\n", c->tunnel[i].session[j].name);
			conf_bases_session(base, &c->tunnel[i].session[j]);
			dump_keys(out, "    ", base);
			dump_policy(out, "    ", &c->tunnel[i].session[j].policy);
		}
	}
	fclose(out);
	return text;
}

static int only_conf(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return dot && !strcmp(dot, ".conf");
}

static void golden(bool renew)
{
	struct dirent **list = NULL;
	int n = scandir(golden_dir, &list, only_conf, alphasort);
	unsigned bad = 0;

	for (int i = 0; i < n; i++) {
		char path[PATH_MAX], what[300], *errors = NULL, *got, *want;
		struct config *c = NULL;
		bool good = !strncmp(list[i]->d_name, "good-", 5);
		int err = load(list[i]->d_name, &c, &errors);

		bad += !good;
		snprintf(path, sizeof(path), "%s/%.*s.ok", golden_dir, (int)strlen(list[i]->d_name) - 5, list[i]->d_name);
		got = c ? dump(c) : strdup(errors ? errors : strerror(-err));
		if (renew)
			put(path, got, 0644);
		want = slurp(path);
		snprintf(what, sizeof(what), "%s %s", list[i]->d_name,
			 good ? "loads to what it says" : "is refused with all its lines");
		verdict(want && !strcmp(want, got) && good == !err, what, got);
		free(want);
		free(got);
		free(errors);
		config_free(c);
		free(list[i]);
	}
	free(list);
	verdict(bad >= 40, "there are at least 40 bad files", NULL);
}

/* DESIGN.md's example, with the file that it includes. */
static void design_example(void)
{
	char *text = slurp(example), *errors = NULL, path[PATH_MAX];
	struct config *c = NULL;
	const struct conf_peer *p;
	const struct conf_tunnel *t;

	snprintf(path, sizeof(path), "%s/etc", tmp);
	mkdir(path, 0700);
	strcat(path, "/ktund");
	mkdir(path, 0700);
	strcat(path, "/conf.d");
	mkdir(path, 0700);
	strcat(path, "/users.conf");
	put(path, "user \"carol\" { password = \"c\" }\n", 0600);
	c = text ? load_text(text, &errors) : NULL;
	verdict(c != NULL, "the example loads", errors);
	if (!c)
		goto out;
	p = c->peer;
	t = c->tunnel;
	verdict(c->n_listens == 1 && c->listen[0].addr.port == 1701 && c->n_users == 2 && c->n_pools == 1 && c->n_peers == 1 &&
		c->n_tunnels == 1, "the example has its objects", NULL);
	verdict(p->policy.role == ROLE_LNS && p->policy.ppp.auth[0] == PPP_AUTH_MSCHAPV2 &&
		p->policy.ppp.auth[1] == PPP_AUTH_CHAP_MD5 && p->policy.ppp.auth[2] == PPP_AUTH_PAP && !p->policy.ppp.allow[0] &&
		!p->policy.ppp.take && !strcmp(p->policy.pool, "staff") && p->cc.secret.n == 13 &&
		!memcmp(p->cc.secret.p, "tunnel-secret", 13), "its peer is an LNS that demands three protocols", NULL);
	verdict(p->limits.half_open == 8 && p->limits.setup_rate == 10 && p->limits.setup_burst == 20 && p->limits.tunnels == 64 &&
		p->limits.sessions == 4096, "its limits are the defaults", NULL);
	verdict(t->persist && t->enabled && t->remote_port == 1701 && t->n_sessions == 1 && t->session[0].policy.role == ROLE_LAC &&
		t->session[0].policy.ppp.take && !strcmp(t->session[0].user, "bob") && !strcmp(t->session[0].password, "builder") &&
		t->redial_min_ms == 1000 && t->redial_max_ms == 60000, "its tunnel dials and takes an address", NULL);
	verdict(config_user(c, "alice", 5) && config_user(c, "carol", 5) && !config_user(c, "caro", 4) &&
		!config_user(c, "carolx", 6) && !config_user(c, "carol\0", 6) && !config_user(c, "", 0),
		"users are found by their exact name", NULL);
	verdict(config_pool(c, "staff") && !config_pool(c, "staf") && !config_pool(c, NULL), "pools are found", NULL);
out:
	config_free(c);
	free(errors);
	free(text);
}

static const char *match(const struct config *c, const char *from, const char *host)
{
	struct addr a;
	int i;

	if (!conf_addr(from, &a))
		return "?";
	i = config_match_peer(c, 2, ENCAP_UDP, &a, host);
	return i < 0 ? "-" : c->peer[i].name;
}

static void matching(void)
{
	static const struct { const char *from, *host, *want; } row[] = {
		{ "192.0.2.9", NULL, "any" }, { "198.51.100.9", "lac-1", "net" }, { "198.51.100.7", "lac-1", "host" },
		{ "198.51.100.9", "lac-7", "both" }, { "198.51.100.7", "LAC-7", "both" }, { "192.0.2.9", "lac-7", "name" },
		{ "2001:db8::1", "lac-7", "name" }, { "2001:db8::1", "lac-1", "-" }, { "198.51.101.7", "", "any" },
	};
	struct config *c = NULL;
	char *errors = NULL, what[100];
	struct addr a[2];
	unsigned dns = 0;

	if (load("good-order.conf", &c, &errors)) {
		verdict(false, "good-order.conf loads", errors);
		free(errors);
		return;
	}
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		snprintf(what, sizeof(what), "%s calling itself %s is peer %s", row[i].from, row[i].host ? row[i].host : "nothing",
			 row[i].want);
		verdict(!strcmp(match(c, row[i].from, row[i].host), row[i].want), what, match(c, row[i].from, row[i].host));
	}
	while (strcmp(c->peer[dns].name, "dns"))
		dns++;
	conf_addr("192.0.2.77", &a[0]);
	conf_addr("2001:db8::77", &a[1]);
	verdict(!config_set_resolved(c, dns, a, 2) && !strcmp(match(c, "192.0.2.77", NULL), "dns") &&
		!strcmp(match(c, "2001:db8::77", NULL), "dns") && !strcmp(match(c, "2001:db8::78", NULL), "-"),
		"a peer with a host name is matched by what it resolves to", NULL);
	verdict(!config_set_resolved(c, dns, NULL, 0) && !strcmp(match(c, "192.0.2.77", NULL), "any"),
		"and by nothing when it does not resolve", NULL);
	verdict(config_set_resolved(c, 99, a, 1) == -EINVAL && config_set_resolved(c, !dns, a, 1) == -EINVAL,
		"only such a peer can be resolved", NULL);
	config_free(c);
}

static void five_thousand(void)
{
	char path[PATH_MAX], *errors = NULL;
	struct config *c = NULL;
	struct timespec a, b;
	double s;
	FILE *fp;

	snprintf(path, sizeof(path), "%s/many.conf", tmp);
	fp = fopen(path, "w");
	for (unsigned i = 0; fp && i < 5000; i++)
		fprintf(fp, "user \"user%u\" { password = \"password%u\" }	# %u\n", i, i, i);
	if (fp)
		fclose(fp);
	chmod(path, 0600);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	load("many.conf", &c, &errors);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	printf("# 5,000 users: %.0f ms of CPU\n", s * 1e3);
	verdict(c && c->n_users == 5000 && config_user(c, "user4999", 8), "5,000 users load", errors);
	verdict(s < 1.5, "in well under a second", NULL);	/* sanitizers and busy machines have a share in 1.5 */
	free(errors);
	config_free(c);
}

/* A mistake must not be carried into the next load: libConfuse's lexer is one for the whole process. */
static void again_after_errors(void)
{
	static const char *const bad[] = {
		"user \"u\" { password = \"abc", "log = 'x", "/* open", "profile \"x\" {", "log = {", "user \"a",
	};
	bool ok = true;
	char *errors = NULL;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config *c = load_text(bad[i], &errors);

		ok = ok && !c && errors;
		free(errors);
		config_free(c);
		c = load_text("log = stderr\nuser \"u\" { password = \"x\" }\n", &errors);
		ok = ok && c && c->n_users == 1;
		free(errors);
		config_free(c);
	}
	verdict(ok, "after a broken file a good one loads", NULL);
}

static void many_mistakes(void)
{
	char *text = NULL, *errors = NULL;
	size_t size;
	FILE *fp = open_memstream(&text, &size);
	struct config *c;

	for (unsigned i = 0; i < 250; i++)
		fprintf(fp, "profile \"p%u\" { mru = x }\n", i);
	fclose(fp);
	c = load_text(text, &errors);
	verdict(!c && errors && strstr(errors, "and 150 more mistakes"), "mistakes without end are cut short", errors);
	config_free(c);
	free(errors);
	free(text);
}

static void no_file(void)
{
	struct config *c = NULL;
	char *errors = NULL;

	verdict(load("nowhere.conf", &c, &errors) == -ENOENT && !c, "no file: -ENOENT", NULL);
	free(errors);
	errors = NULL;
	verdict(load("conf.d", &c, &errors) == -EISDIR && !c, "a directory: -EISDIR", NULL);
	free(errors);
}

/* Is this what the man page says of the default of one of the keys of this name? */
static bool says_default(const char *name, const char *line)
{
	for (unsigned i = 0; i < conf_n_keys; i++) {
		char want[64];

		if (strcmp(conf_keys[i].name, name))
			continue;
		snprintf(want, sizeof(want), "; default %s.", conf_keys[i].def ? conf_keys[i].def : "");
		if (conf_keys[i].def ? !!strstr(line, want) : !strstr(line, "; default"))
			return true;
	}
	return false;
}

/* The man page lists exactly the table's keys: ".It Ic NAME" in its lists. */
static void man(void)
{
	char *text = slurp(man_page), *line, *save = NULL;
	bool seen[256] = { false }, all = true;

	verdict(text != NULL, "the man page is there", man_page);
	if (!text)
		return;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[64];
		bool known = false;

		if (sscanf(line, ".It Ic %63s", name) != 1)
			continue;
		for (unsigned i = 0; i < conf_n_keys; i++) {
			if (!strcmp(conf_keys[i].name, name))
				known = seen[i] = true;
		}
		for (unsigned s = 1; s < SEC_N; s++)
			known |= !strcmp(conf_sec_name((enum conf_sec)s), name);
		if (!known && strcmp(name, "include"))
			verdict(false, "the man page has no key that is none", name);
		if (strcmp(name, "include") && save && !says_default(name, strndupa(save, strcspn(save, "\n"))))
			verdict(false, "the man page has the defaults", name);
	}
	for (unsigned i = 0; i < conf_n_keys; i++) {
		if (!seen[i])
			verdict(false, "every key is in the man page", conf_keys[i].name);
		all &= seen[i];
	}
	verdict(all, "every key is in the man page", NULL);
	free(text);
}

static void differences(void)
{
	static const char was[] = "listen \"192.0.2.1\" { }\npool \"p\" { range = \"10.0.0.2-10.0.0.9\" }\n"
		"user \"a\" { password = \"1\" }\nuser \"b\" { password = \"2\" }\n"
		"defaults { ipsec = none }\n"
		"peer \"x\" { address = \"0.0.0.0/0\" local-address = \"10.0.0.1\" pool = \"p\" }\n"
		"tunnel \"t\" { remote = \"192.0.2.9\" authentication = \"none\""
		" session \"s\" { } session \"gone\" { } }\n";
	static const char is[] = "log-level = debug\nlisten \"192.0.2.1\" { port = 1702 }\n"
		"pool \"p\" { range = \"10.0.0.2-10.0.0.19\" }\n"
		"user \"c\" { password = \"1\" }\nuser \"b\" { password = \"3\" }\n"
		"defaults { ipsec = none }\n"
		"peer \"x\" { address = \"0.0.0.0/0\" local-address = \"10.0.0.1\" pool = \"p\" mru = 1300"
		" authentication = \"pap\" }\n"
		"tunnel \"t\" { remote = \"192.0.2.9\" authentication = \"none\""
		" session \"s\" { mtu = 1200 } }\n";
	static const char want[] =
		"changed global log-level: info -> debug\n"
		"removed listen 192.0.2.1 port 1701\n"
		"added listen 192.0.2.1 port 1702\n"
		"changed pool p: range: 8 addresses -> 18 addresses\n"
		"removed user a\n"
		"changed user b: password\n"
		"added user c\n"
		"changed peer x: authentication: mschapv2 chap pap -> pap; mru: 1400 -> 1300\n"
		"unchanged tunnel t\n"
		"changed session t/s: mtu: 0 -> 1200\n"
		"removed session t/gone\n";
	char *e1 = NULL, *e2 = NULL, *text;
	struct config *a = load_text(was, &e1), *b = load_text(is, &e2);
	struct conf_plan plan = { 0 };

	if (!a || !b) {
		verdict(false, "the two configurations load", a ? e2 : e1);
	} else {
		verdict(!config_diff(a, b, &plan), "two configurations are compared", NULL);
		text = conf_plan_text(&plan, true);
		verdict(text && !strcmp(text, want), "the plan names what was added, changed and removed", text);
		free(text);
		conf_plan_done(&plan);
		verdict(!config_diff(a, a, &plan) && plan.n && !conf_plan_changes(&plan), "nothing differs from itself", NULL);
		conf_plan_done(&plan);
	}
	config_free(a);
	config_free(b);
	free(e1);
	free(e2);
}

static void put_file(const char *name, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", tmp, name);
	put(path, text, 0600);
}

/* What is in the files of certificates, and that a renewed one is a change. */
static void certificates(void)
{
	static const char cert[] = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n";
	static const char key[] = "-----BEGIN EC PRIVATE KEY-----\nAA\n-----END EC PRIVATE KEY-----\n";
	static const struct { const char *file, *text, *key, *says; } bad[] = {
		{ "c.pem", "0\202", "certificate", "is no PEM file; if it is DER: openssl x509 -inform der" },
		{ "c.pem", key, "certificate", "has no certificate in it" },
		{ "k.pem", cert, "private-key", "has no private key in it" },
		{ "k.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "private-key", "is encrypted" },
		{ "a.pem", "", "ca", "is no PEM file" },
		{ "r.pem", cert, "crl", "has no list of revoked certificates in it" },
	};
	static const char text[] = "tunnel \"t\" { remote = \"192.0.2.9\" authentication = \"none\"\ncertificate = \"/c.pem\" "
		 "private-key = \"/k.pem\" ca = \"/a.pem\" crl = \"/r.pem\" }\n";
	struct config *a, *b;
	struct conf_plan plan = { 0 };
	char says[200], *errors = NULL, *is;

	for (unsigned i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		put_file("c.pem", cert);
		put_file("k.pem", key);
		put_file("a.pem", cert);
		put_file("r.pem", "-----BEGIN X509 CRL-----\n");
		if (i == sizeof(bad) / sizeof(bad[0]))
			break;
		put_file(bad[i].file, bad[i].text);
		a = load_text(text, &errors);
		snprintf(says, sizeof(says), ":2: %s = /%s: %s", bad[i].key, bad[i].file, bad[i].says);
		verdict(!a && errors && strstr(errors, says), "a file of another kind: file, line and remedy",
			errors ? errors : says);
		config_free(a);
		free(errors);
		errors = NULL;
	}
	a = load_text(text, &errors);
	put_file("c.pem", "-----BEGIN CERTIFICATE-----\nAB\n-----END CERTIFICATE-----\n");
	b = load_text(text, &errors);
	if (!a || !b || config_diff(a, b, &plan)) {
		verdict(false, "certificates are read", errors);
	} else {
		is = conf_plan_text(&plan, false);
		verdict(is && !strcmp(is, "changed tunnel t: certificate (the file)\n"), "a renewed certificate is a change", is);
		free(is);
		conf_plan_done(&plan);
	}
	config_free(a);
	config_free(b);
	free(errors);
}

int main(int argc, char **argv)
{
	char cmd[PATH_MAX];
	int lowest = dup(0);

	close(lowest);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mkdtemp(tmp))
		return 1;
	copy_dir(golden_dir, tmp);
	golden(argc > 1 && !strcmp(argv[1], "write"));
	design_example();
	matching();
	five_thousand();
	again_after_errors();
	many_mistakes();
	no_file();
	differences();
	certificates();
	man();
	verdict(dup(0) == lowest, "every file was closed again", NULL);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", tmp);
	return system(cmd) || failed;
}
