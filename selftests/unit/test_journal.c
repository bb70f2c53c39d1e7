/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is ours in the kernel, as it is written down for the keeper after this one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlink/journal.h"

static int count, failed;

static void ok(bool good, const char *what)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++count, what);
	failed += !good;
}

static struct journal *opened(const char *dir)
{
	struct journal *j = NULL;
	const char *what;

	return journal_open(dir, &j, &what) ? NULL : j;
}

struct seen { unsigned n, stop_after; uint32_t sum; };

static int see(uint32_t slot, const struct made *m, void *arg)
{
	struct seen *s = arg;

	(void)slot;
	s->n++;
	s->sum += m->tunnel_id;
	return s->stop_after && s->n == s->stop_after;
}

static struct seen look(struct journal *j, unsigned stop_after)
{
	struct seen s = { .stop_after = stop_after };

	journal_each(j, see, &s);
	return s;
}

static uint32_t note(struct journal *j, uint32_t tunnel_id)
{
	return journal_note(j, &(struct made){ .kind = MADE_TUNNEL, .tunnel_id = tunnel_id });
}

static void aliases(void)
{
	char text[LINK_ALIAS_SIZE];
	uint32_t t = 0, s = 0;

	journal_link_alias("0123456789abcdef", 65535, 7, text);
	ok(!strcmp(text, "ktund 0123456789abcdef 65535/7"), "a link's alias");
	ok(journal_link_ours("0123456789abcdef", text, &t, &s) && t == 65535 && s == 7, "and back");
	ok(!journal_link_ours("0123456789abcdee", text, &t, &s), "another instance's is not ours");
	ok(!journal_link_ours("0123456789abcdef", "ktund 0123456789abcdef 65535/7 or so", &t, &s),
	   "nor what somebody wrote by hand");
	ok(!journal_link_ours("0123456789abcdef", "ktund 0123456789abcdef", &t, &s) &&
	   !journal_link_ours("0123456789abcdef", "ktund 0123456789abcdef 7", &t, &s) &&
	   !journal_link_ours("0123456789abcdef", "", &t, &s), "nor half of one, nor none");
}

int main(void)
{
	char dir[] = "/tmp/test_journal.XXXXXX", path[64], instance[INSTANCE_SIZE];
	struct journal *j, *other;
	uint32_t a, b, c;
	struct seen s;
	int fd;

	aliases();
	if (!mkdtemp(dir))
		return 1;
	j = opened(dir);
	ok(j && strlen(journal_instance(j)) == 16, "an instance has a number");
	strcpy(instance, journal_instance(j));
	a = note(j, 1);
	b = note(j, 10);
	c = note(j, 100);
	ok(a && b && c && a != b && b != c && a != c, "three slots");
	ok(look(j, 0).sum == 111, "each is there");
	journal_forget(j, b);
	ok(look(j, 0).sum == 101 && look(j, 1).n == 1, "one is forgotten; a walk ends when told to");
	/* As after SIGKILL: nothing is closed. */
	other = opened(dir);
	ok(other && !strcmp(journal_instance(other), instance), "the next process has the same number");
	s = look(other, 0);
	ok(s.n == 2 && s.sum == 101, "and knows what the one before made");
	ok(note(other, 1000) == b && look(other, 0).sum == 1101, "a slot is used again");
	journal_forget(other, a);
	journal_forget(other, b);
	journal_forget(other, c);
	journal_forget(other, 0);
	journal_forget(other, 1u << 30);
	ok(!look(other, 0).n, "all is forgotten");
	journal_close(other);
	snprintf(path, sizeof(path), "%s/keeper.made", dir);
	ok(access(path, F_OK) < 0, "the file goes when nothing is in it");
	journal_close(j);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	ok(fd >= 0 && write(fd, "something else altogether, of whatever length", 45) == 45, "a file of another layout");
	close(fd);
	j = opened(dir);
	ok(j && !look(j, 0).n && note(j, 5), "is begun anew");
	ok(!journal_try(dir) && look(j, 0).n == 1, "it can be opened, and trying changes nothing");
	journal_close(j);
	if (chmod(path, 0666))
		return 1;
	ok(!opened(dir) && journal_try(dir) < 0, "one that others can write is refused");
	unlink(path);
	if (symlink("/etc/passwd", path))
		return 1;
	ok(!opened(dir), "a link to elsewhere, too");
	unlink(path);
	snprintf(path, sizeof(path), "%s/keeper.id", dir);
	unlink(path);
	j = opened(dir);
	ok(j && strcmp(journal_instance(j), instance), "without the number there is another");
	journal_close(j);
	unlink(path);
	rmdir(dir);
	ok(!journal_note(NULL, &(struct made){ .kind = MADE_ROUTE }), "no journal, no slot");
	printf("1..%d\n", count);
	return failed != 0;
}
