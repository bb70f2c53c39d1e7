/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What failed, and what to do about it: the operator reads this, not errno. */
#include "why.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct remedy { const char *call; int err; const char *text; } remedies[] = {
	{ "socket(AF_PPPOX)",	EAFNOSUPPORT,	 "load module l2tp_ppp (modprobe l2tp_ppp)" },
	{ "socket(AF_PPPOX)",	EPROTONOSUPPORT, "load module l2tp_ppp (modprobe l2tp_ppp)" },
	{ "socket(AF_PPPOX)",	ESOCKTNOSUPPORT, "load module l2tp_ppp (modprobe l2tp_ppp)" },
	{ "open(/dev/ppp)",	ENOENT,		 "load module ppp_generic (modprobe ppp_generic)" },
	{ "open(/dev/ppp)",	ENXIO,		 "load module ppp_generic (modprobe ppp_generic)" },
	{ "open(/dev/ppp)",	ENODEV,		 "load module ppp_generic (modprobe ppp_generic)" },
	{ "open(/dev/ppp)",	EACCES,		 "the keeper needs CAP_NET_ADMIN" },
	{ "netlink l2tp",	ENOENT,		 "load module l2tp_netlink (modprobe l2tp_netlink)" },
	{ "TUNNEL_CREATE",	EEXIST,		 "the tunnel id is taken (ip l2tp show tunnel)" },
	{ "connect(AF_PPPOX)",	EEXIST,		 "the session id is taken (ip l2tp show session)" },
	{ "connect(AF_PPPOX)",	ENOENT,		 "the kernel's tunnel is gone" },
	{ "netlink xfrm",	EPROTONOSUPPORT, "load module xfrm_user (modprobe xfrm_user)" },
	{ "rename",		EEXIST,		 "another link has this name" },
	{ "bind(UDP socket)",	EADDRINUSE,	 "another program has this port (ss -ulpn)" },
	{ "socket(IP, protocol 115, raw)", EPERM, "the keeper needs CAP_NET_RAW" },
	{ "socket(IP, protocol 115)", ESOCKTNOSUPPORT, "load modules l2tp_ip and l2tp_ip6 (modprobe -a l2tp_ip l2tp_ip6)" },
	{ "socket(IP, protocol 115)", EPROTONOSUPPORT, "load modules l2tp_ip and l2tp_ip6 (modprobe -a l2tp_ip l2tp_ip6)" },
	{ "bind(IP socket)",	EADDRINUSE,	 "another program has L2TPv3 over IP at this address" },
	{ "bind(IP socket)",	EADDRNOTAVAIL,	 "no link has this address (ip address)" },
	{ "bind(UDP socket)",	EADDRNOTAVAIL,	 "no link has this address (ip address)" },
	{ NULL,			EMFILE,		 "too few descriptors allowed (LimitNOFILE=)" },
	{ NULL,			ENFILE,		 "too few descriptors allowed (sysctl fs.file-max)" },
	{ NULL,			EPERM,		 "the keeper needs CAP_NET_ADMIN" },
};

int why_fail(char *why, int err, const char *call, const char *words)
{
	char text[64];
	const char *reason = strerror_r(-err, text, sizeof(text)), *remedy = NULL;
	int n;

	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]) && !remedy; i++)
		if (remedies[i].err == -err && (!remedies[i].call || !strcmp(remedies[i].call, call)))
			remedy = remedies[i].text;
	if (words && words[0])
		n = snprintf(why, WHY_SIZE, "%s: %s: %s", call, reason, words);
	else
		n = snprintf(why, WHY_SIZE, "%s: %s", call, reason);
	if (remedy && n > 0 && n < WHY_SIZE)
		snprintf(why + n, (size_t)(WHY_SIZE - n), ": %s", remedy);
	return err;
}
