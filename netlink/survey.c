/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "survey.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>	/* before linux/if_pppox.h: they quarrel otherwise */
#include <linux/if_pppox.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"
#include "nl.h"

struct look { struct survey_policies *ret; uint16_t port; };

/* Half of a selector: may this be our port? */
static bool port_fits(uint16_t port, uint16_t mask, uint16_t ours)
{
	return !((port ^ htons(ours)) & mask);
}

static int count(const struct nlmsghdr *h, void *arg)
{
	struct xfrm_userpolicy_info p;		/* a copy: it wants 8 octets' alignment, netlink gives 4 */
	struct look *l = arg;
	bool in;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(p)))
		return 0;
	memcpy(&p, nl_payload(h), sizeof(p));
	if (p.dir > XFRM_POLICY_OUT)
		return 0;			/* of one socket, as charon's own are */
	in = p.dir == XFRM_POLICY_IN;
	if (p.sel.user == K_GUARD_USER) {
		l->ret->ours++;
		return 0;
	}
	l->ret->others++;
	if (p.action == XFRM_POLICY_ALLOW && p.priority < K_GUARD_PRIORITY && (!p.sel.proto || p.sel.proto == IPPROTO_UDP) &&
	    port_fits(in ? p.sel.dport : p.sel.sport, in ? p.sel.dport_mask : p.sel.sport_mask, l->port) &&
	    !nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(p), XFRMA_TMPL))
		l->ret->open++;
	return 0;
}

int survey_policies(struct nl *nl, uint16_t port, struct survey_policies *ret)
{
	struct xfrm_userpolicy_id all = { .index = 0 };
	struct look look = { ret, port };
	struct nl_msg *m;
	int err = nl_xfrm(nl);

	*ret = (struct survey_policies){ 0 };
	if (err)
		return err;
	m = nlmsg_alloc_simple(XFRM_MSG_GETPOLICY, NLM_F_DUMP);
	if (m && nlmsg_append(m, &all, sizeof(all), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return nl_talk(nl, nl->xfrm, m, count, &look);
}

static int opened(int fd)
{
	int err = fd < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

int survey_pppox(void)
{
	return opened(socket(AF_PPPOX, SOCK_DGRAM | SOCK_CLOEXEC, PX_PROTO_OL2TP));
}

int survey_ppp(void)
{
	return opened(open("/dev/ppp", O_RDWR | O_CLOEXEC));
}

int survey_l2tp(struct nl *nl)
{
	return nl_l2tp(nl);
}
