/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nl.h"

enum { ORDERS = 64 };			/* in one system call */
/* RFC 2863; <net/if.h> keeps <linux/if.h>'s names of them out. */
enum { OPER_DORMANT = 5, OPER_UP, MODE_DEFAULT = 0, MODE_DORMANT };

/* A fresh message with its fixed header; NULL: no memory. */
static struct nl_msg *message(int type, int flags, const void *head, size_t len)
{
	union { const void *in; void *out; } u = { .in = head };
	struct nl_msg *m = nlmsg_alloc_size(512);

	if (m && (!nlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) ||
		  nlmsg_append(m, u.out, len, NLMSG_ALIGNTO) < 0)) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int finish(struct nl *nl, struct nl_msg *m, bool bad, nl_each each, void *arg)
{
	if (bad) {
		nlmsg_free(m);
		m = NULL;
	}
	return nl_talk(nl, nl->route, m, each, arg);
}

static const void *attr(const struct nlmsghdr *h, size_t head, int type, size_t want)
{
	for (size_t off = NLMSG_LENGTH(head); off + NLA_HDRLEN <= h->nlmsg_len; ) {
		struct nlattr a;

		memcpy(&a, (const char *)h + off, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || off + a.nla_len > h->nlmsg_len)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == type)
			return a.nla_len >= NLA_HDRLEN + want ? (const char *)h + off + NLA_HDRLEN : NULL;
		off += NLA_ALIGN(a.nla_len);
	}
	return NULL;
}

/* Links */

/* That the link comes up, and in which state. */
static bool put_up(struct nl_msg *m, const struct rtnl_link *l)
{
	uint8_t state = l->dormant ? OPER_DORMANT : l->awake ? OPER_UP : 0;

	return m && (!state || (!nla_put_u8(m, IFLA_OPERSTATE, state) &&
				!nla_put_u8(m, IFLA_LINKMODE, l->dormant ? MODE_DORMANT : MODE_DEFAULT)));
}

static bool put_properties(struct nl_msg *m, const struct rtnl_link *l)
{
	return m && !((l->name && nla_put_string(m, IFLA_IFNAME, l->name)) ||
		      (l->alias && nla_put_string(m, IFLA_IFALIAS, l->alias)) ||
		      (l->mtu && nla_put_u32(m, IFLA_MTU, l->mtu)) ||
		      (l->group && nla_put_u32(m, IFLA_GROUP, l->group)) ||
		      (l->master && nla_put_u32(m, IFLA_MASTER, l->master)) ||
		      (l->netns && nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)l->netns)));
}

/* A new name or alias of a link that is up is told to everybody, at a twentieth of a session's price: it goes ahead then.  To
 * another namespace all goes in one, where we may configure nothing afterwards. */
int rtnl_link_set(struct nl *nl, const struct rtnl_link *l)
{
	struct ifinfomsg ifi = { .ifi_index = (int)l->ifindex }, up = ifi;
	bool ahead = l->up && (l->name || l->alias) && !l->netns;
	int err = nl_route(nl);
	struct nl_msg *m, *next;

	if (err)
		return err;
	up.ifi_flags = up.ifi_change = IFF_UP;
	m = message(RTM_NEWLINK, 0, l->up && !ahead ? &up : &ifi, sizeof(ifi));
	if (!ahead)
		return finish(nl, m, !put_properties(m, l) || !put_up(m, l), NULL, NULL);
	next = message(RTM_NEWLINK, 0, &up, sizeof(up));
	if (!put_properties(m, l) || !put_up(next, l)) {
		nlmsg_free(m);
		m = NULL;
	}
	return nl_talk_two(nl, nl->route, m, next);
}

static int on_info(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *in = (struct nlmsghdr *)(uintptr_t)h;	/* libnl's prototypes; nothing is changed */
	struct nlattr *tb[IFLA_MAX + 1], *li[IFLA_INFO_MAX + 1], *br[IFLA_BR_MAX + 1];
	struct rtnl_info *r = arg;
	struct ifinfomsg ifi;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(in, sizeof(ifi), tb, IFLA_MAX, NULL) < 0)
		return 0;
	memcpy(&ifi, nl_payload(h), sizeof(ifi));
	r->ifindex = (uint32_t)ifi.ifi_index;
	r->mtu = tb[IFLA_MTU] ? nla_get_u32(tb[IFLA_MTU]) : 0;
	if (!tb[IFLA_LINKINFO] || nla_parse_nested(li, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) < 0)
		return 0;
	if (li[IFLA_INFO_KIND])
		nla_strlcpy(r->kind, li[IFLA_INFO_KIND], sizeof(r->kind));
	if (strcmp(r->kind, "bridge") || !li[IFLA_INFO_DATA] || nla_parse_nested(br, IFLA_BR_MAX, li[IFLA_INFO_DATA], NULL) < 0)
		return 0;
	r->vlan_filtering = br[IFLA_BR_VLAN_FILTERING] && nla_get_u8(br[IFLA_BR_VLAN_FILTERING]);
	if (br[IFLA_BR_VLAN_DEFAULT_PVID])
		r->default_pvid = nla_get_u16(br[IFLA_BR_VLAN_DEFAULT_PVID]);
	return 0;
}

int rtnl_link_info(struct nl *nl, const char *name, struct rtnl_info *ret)
{
	struct ifinfomsg ifi = { 0 };
	int err = nl_route(nl);
	struct nl_msg *m;

	*ret = (struct rtnl_info){ 0 };
	if (err)
		return err;
	m = message(RTM_GETLINK, 0, &ifi, sizeof(ifi));
	err = finish(nl, m, m && nla_put_string(m, IFLA_IFNAME, name), on_info, ret);
	return !err && !ret->ifindex ? -ENODEV : err;
}

int rtnl_link_find(const char *name, uint32_t *ret_ifindex, uint32_t *ret_mtu)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq r = { 0 };

	if (fd < 0)
		return -errno;
	memcpy(r.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(fd, SIOCGIFMTU, &r) < 0)
		err = -errno;
	*ret_mtu = (uint32_t)r.ifr_mtu;
	if (!err && ioctl(fd, SIOCGIFINDEX, &r) < 0)
		err = -errno;
	*ret_ifindex = (uint32_t)r.ifr_ifindex;
	close(fd);
	return err;
}

static int on_nsid(const struct nlmsghdr *h, void *arg)
{
	const void *id = h->nlmsg_type == RTM_NEWNSID ? attr(h, NLMSG_ALIGN(sizeof(struct rtgenmsg)), NETNSA_NSID, 4) : NULL;

	if (id)
		memcpy(arg, id, 4);
	return 0;
}

int32_t rtnl_nsid(struct nl *nl, int netns)
{
	struct rtgenmsg g = { 0 };
	int32_t id = -1;
	struct nl_msg *m;

	if (nl_route(nl))
		return -1;
	m = message(RTM_GETNSID, 0, &g, sizeof(g));
	return finish(nl, m, m && nla_put_u32(m, NETNSA_FD, (uint32_t)netns), on_nsid, &id) ? -1 : id;
}

bool rtnl_link_is_up(uint32_t ifindex)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { 0 };
	bool up;

	if (fd < 0)
		return false;
	up = if_indextoname(ifindex, r.ifr_name) && !ioctl(fd, SIOCGIFFLAGS, &r) && r.ifr_flags & IFF_UP;
	close(fd);
	return up;
}

int rtnl_port_vlan(struct nl *nl, uint32_t ifindex, uint16_t vid, bool add)
{
	struct ifinfomsg ifi = { .ifi_family = AF_BRIDGE, .ifi_index = (int)ifindex };
	struct bridge_vlan_info v = { .vid = vid, .flags = add ? BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED : 0 };
	int err = nl_route(nl);
	struct nlattr *spec;
	struct nl_msg *m;
	bool bad;

	if (err)
		return err;
	m = message(add ? RTM_SETLINK : RTM_DELLINK, 0, &ifi, sizeof(ifi));
	if (!m)
		return -ENOMEM;
	spec = nla_nest_start(m, IFLA_AF_SPEC);
	bad = !spec || nla_put(m, IFLA_BRIDGE_VLAN_INFO, sizeof(v), &v);
	if (!bad)
		nla_nest_end(m, spec);
	return finish(nl, m, bad, NULL, NULL);
}

int rtnl_links_group(struct nl *nl, const uint32_t *ifindex, unsigned n, uint32_t group)
{
	struct order { struct nlmsghdr head; struct ifinfomsg ifi; struct rtattr attr; uint32_t group; } order[ORDERS];
	int err = nl_route(nl);

	_Static_assert(sizeof(struct order) == NLMSG_ALIGN(sizeof(struct order)), "orders stand in a row");
	for (unsigned done = 0, i; !err && done < n; done += i) {
		for (i = 0; i < ORDERS && done + i < n; i++)
			order[i] = (struct order){
				{ .nlmsg_type = RTM_NEWLINK }, { .ifi_index = (int)ifindex[done + i] },
				{ .rta_len = RTA_LENGTH(sizeof(group)), .rta_type = IFLA_GROUP }, group };
		err = nl_order(nl, nl->route, &order[0].head, sizeof(order[0]), i);
	}
	return err;
}

int rtnl_link_delete(struct nl *nl, uint32_t ifindex)
{
	struct ifinfomsg ifi = { .ifi_index = (int)ifindex };
	int err = nl_route(nl);

	return err ? err : finish(nl, message(RTM_DELLINK, 0, &ifi, sizeof(ifi)), false, NULL, NULL);
}

int rtnl_group_delete(struct nl *nl, uint32_t group)
{
	struct ifinfomsg ifi = { 0 };
	int err = nl_route(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = message(RTM_DELLINK, 0, &ifi, sizeof(ifi));
	return finish(nl, m, m && nla_put_u32(m, IFLA_GROUP, group), NULL, NULL);
}

struct link_walk { int (*each)(uint32_t, const char *, void *); void *arg; };

static int on_link(const struct nlmsghdr *h, void *arg)
{
	const struct link_walk *w = arg;
	struct ifinfomsg ifi;
	const char *alias;

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(ifi)))
		return 0;
	memcpy(&ifi, nl_payload(h), sizeof(ifi));
	alias = attr(h, sizeof(ifi), IFLA_IFALIAS, 1);		/* the kernel ends it with a 0 */
	return w->each((uint32_t)ifi.ifi_index, alias ? alias : "", w->arg);
}

int rtnl_link_dump(struct nl *nl, int (*each)(uint32_t ifindex, const char *alias, void *arg), void *arg)
{
	struct ifinfomsg ifi = { 0 };
	struct link_walk w = { each, arg };
	int err = nl_route(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = message(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof(ifi));
	return finish(nl, m, m && nla_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS), on_link, &w);
}

struct stats_walk { int (*each)(uint32_t, const struct k_stats *, void *); void *arg; };

static int on_stats(const struct nlmsghdr *h, void *arg)
{
	const struct stats_walk *w = arg;
	struct rtnl_link_stats64 s = { 0 };
	struct if_stats_msg head;
	struct k_stats k;
	const void *p;

	p = h->nlmsg_type == RTM_NEWSTATS ? attr(h, sizeof(head), IFLA_STATS_LINK_64, 80) : NULL;
	if (!p)
		return 0;
	memcpy(&head, nl_payload(h), sizeof(head));
	memcpy(&s, p, 80);	/* the ten oldest counters */
	k = (struct k_stats){ 0, 0, s.rx_packets, s.rx_bytes, s.rx_errors, s.tx_packets, s.tx_bytes, s.tx_errors };
	return w->each(head.ifindex, &k, w->arg);
}

static int get_stats(struct nl *nl, uint32_t ifindex, int flags, struct stats_walk *w)
{
	struct if_stats_msg head = { .ifindex = ifindex, .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64) };
	int err = nl_route(nl);

	return err ? err : finish(nl, message(RTM_GETSTATS, flags, &head, sizeof(head)), false, on_stats, w);
}

int rtnl_stats_dump(struct nl *nl, int (*each)(uint32_t ifindex, const struct k_stats *, void *arg), void *arg)
{
	return get_stats(nl, 0, NLM_F_DUMP, &(struct stats_walk){ each, arg });
}

static int take_stats(uint32_t ifindex, const struct k_stats *s, void *arg)
{
	(void)ifindex;
	*(struct k_stats *)arg = *s;
	return 0;
}

int rtnl_stats(struct nl *nl, uint32_t ifindex, struct k_stats *ret)
{
	return get_stats(nl, ifindex, 0, &(struct stats_walk){ take_stats, ret });
}

/* Addresses */

int rtnl_address4_del(struct nl *nl, uint32_t ifindex, uint32_t ip, uint32_t peer_ip)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = ifindex };
	uint32_t peer = peer_ip ? peer_ip : ip;
	int err = nl_route(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = message(RTM_DELADDR, 0, &ifa, sizeof(ifa));
	return finish(nl, m, m && (nla_put(m, IFA_LOCAL, 4, &ip) || nla_put(m, IFA_ADDRESS, 4, &peer)), NULL, NULL);
}

int rtnl_address4(struct nl *nl, uint32_t ifindex, uint32_t ip, uint32_t peer_ip)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = ifindex };
	uint32_t peer = peer_ip ? peer_ip : ip;
	int err = nl_route(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &ifa, sizeof(ifa));
	return finish(nl, m, m && (nla_put(m, IFA_LOCAL, 4, &ip) || nla_put(m, IFA_ADDRESS, 4, &peer)), NULL, NULL);
}

static void link_local(uint64_t ifid, uint8_t out[16])
{
	memset(out, 0, 16);
	out[0] = 0xfe;
	out[1] = 0x80;
	memcpy(out + 8, &ifid, 8);
}

/* Prefix 64 gives the link its fe80::/64 route; PPP has no duplicate address detection (RFC 5072 section 5). */
int rtnl_address6(struct nl *nl, uint32_t ifindex, uint64_t ifid, uint64_t peer_ifid)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET6, .ifa_prefixlen = 64, .ifa_index = ifindex,
				 .ifa_flags = IFA_F_NODAD, .ifa_scope = RT_SCOPE_LINK };
	uint8_t ours[16], peer[16];
	int err = nl_route(nl);
	struct nl_msg *m;

	if (err)
		return err;
	link_local(ifid, ours);
	link_local(peer_ifid ? peer_ifid : ifid, peer);
	m = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &ifa, sizeof(ifa));
	return finish(nl, m, m && (nla_put(m, IFA_LOCAL, 16, ours) || nla_put(m, IFA_ADDRESS, 16, peer)), NULL, NULL);
}

/* Routes */

static int change_route(struct nl *nl, int type, int flags, const struct rtnl_route *r)
{
	unsigned len = r->dst.family == 6 ? 16 : 4;
	struct rtmsg rt = { .rtm_family = r->dst.family == 6 ? AF_INET6 : AF_INET, .rtm_dst_len = r->prefix_len,
			    .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTNL_PROTOCOL, .rtm_type = RTN_UNICAST,
			    .rtm_scope = r->has_gateway || r->dst.family == 6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK };
	int err = nl_route(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = message(type, flags, &rt, sizeof(rt));
	return finish(nl, m, m && ((r->prefix_len && nla_put(m, RTA_DST, (int)len, r->dst.addr)) ||
				   (r->has_gateway && nla_put(m, RTA_GATEWAY, (int)len, r->gateway.addr)) ||
				   nla_put_u32(m, RTA_OIF, r->ifindex) ||
				   (r->metric && nla_put_u32(m, RTA_PRIORITY, r->metric))), NULL, NULL);
}

int rtnl_route_add(struct nl *nl, const struct rtnl_route *r, bool exclusive)
{
	return change_route(nl, RTM_NEWROUTE, NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0), r);
}

int rtnl_route_delete(struct nl *nl, const struct rtnl_route *r)
{
	return change_route(nl, RTM_DELROUTE, 0, r);
}

static int on_route(const struct nlmsghdr *h, void *arg)
{
	struct rtnl_route *r = arg;
	unsigned len = r->dst.family == 6 ? 16 : 4;
	struct rtmsg rt;
	const void *p;

	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(rt)))
		return 0;
	memcpy(&rt, nl_payload(h), sizeof(rt));
	if (rt.rtm_type == RTN_LOCAL)
		return -ELOOP;
	if (rt.rtm_type != RTN_UNICAST)
		return -EHOSTUNREACH;
	p = attr(h, sizeof(rt), RTA_OIF, 4);
	if (p)
		memcpy(&r->ifindex, p, 4);
	p = attr(h, sizeof(rt), RTA_GATEWAY, len);
	if (p) {
		memcpy(r->gateway.addr, p, len);
		r->has_gateway = true;
	}
	return 0;
}

int rtnl_route_get(struct nl *nl, const struct k_addr *dst, uint32_t mark, struct rtnl_route *ret)
{
	uint8_t len = dst->family == 6 ? 16 : 4;
	struct rtmsg rt = { .rtm_family = len == 16 ? AF_INET6 : AF_INET, .rtm_dst_len = (unsigned char)(len * 8) };
	struct rtnl_route r = { .dst = *dst, .gateway = { .family = dst->family }, .prefix_len = (uint8_t)(len * 8) };
	int err = nl_route(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = message(RTM_GETROUTE, 0, &rt, sizeof(rt));
	err = finish(nl, m, m && (nla_put(m, RTA_DST, len, dst->addr) || (mark && nla_put_u32(m, RTA_MARK, mark))),
		     on_route, &r);
	if (!err && !r.ifindex)
		err = -EHOSTUNREACH;
	if (!err)
		*ret = r;
	return err;
}
