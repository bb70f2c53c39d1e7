/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names.h"

#include <stddef.h>

#define NAME(table, n) ((n) < sizeof(table) / sizeof(table[0]) && table[n] ? table[n] : "?")

const char *l2tp_msg_name(unsigned type)
{
	static const char *const name[] = {
		"ZLB", "SCCRQ", "SCCRP", "SCCCN", "StopCCN", NULL, "HELLO", "OCRQ", "OCRP", "OCCN",
		"ICRQ", "ICRP", "ICCN", NULL, "CDN", "WEN", "SLI", [20] = "ACK",
	};

	return NAME(name, type);
}

const char *l2tp_avp_name(unsigned type)
{
	static const char *const name[] = {
		"Message Type", "Result Code", "Protocol Version", "Framing Capabilities",
		"Bearer Capabilities", "Tie Breaker", "Firmware Revision", "Host Name", "Vendor Name",
		"Assigned Tunnel ID", "Receive Window Size", "Challenge", "Q.931 Cause Code",
		"Challenge Response", "Assigned Session ID", "Call Serial Number", "Minimum BPS",
		"Maximum BPS", "Bearer Type", "Framing Type", NULL, "Called Number",
		"Calling Number", "Sub-Address", "(Tx) Connect Speed", "Physical Channel ID",
		"Initial Received LCP CONFREQ", "Last Sent LCP CONFREQ",
		"Last Received LCP CONFREQ", "Proxy Authen Type", "Proxy Authen Name",
		"Proxy Authen Challenge", "Proxy Authen ID", "Proxy Authen Response",
		"Call Errors", "ACCM", "Random Vector", "Private Group ID", "Rx Connect Speed",
		"Sequencing Required", NULL, NULL, NULL, NULL, NULL, NULL,
		"PPP Disconnect Cause Code", [58] = "Extended Vendor ID AVP", "Message Digest", "Router ID",
		"Assigned Control Connection ID", "Pseudowire Capabilities List", "Local Session ID",
		"Remote Session ID", "Assigned Cookie", "Remote End ID", NULL, "Pseudowire Type",
		"L2-Specific Sublayer", "Data Sequencing", "Circuit Status", "Preferred Language",
		"Control Message Authentication Nonce", "Tx Connect Speed", "Rx Connect Speed",
	};

	return NAME(name, type);
}

const char *l2tp_stop_result_name(unsigned result)
{
	static const char *const name[] = {
		NULL, "general request to clear the control connection", "general error",
		"control connection already exists", "requester is not authorized",
		"protocol version is not supported", "requester is being shut down",
		"finite state machine error",
	};

	return NAME(name, result);
}

const char *l2tp_cdn_result_name(unsigned result)
{
	static const char *const name[] = {
		NULL, "loss of carrier", "general error", "administrative reasons",
		"facilities temporarily unavailable", "facilities permanently unavailable",
		"invalid destination", "no carrier detected", "busy signal detected",
		"no dial tone", "not established within the time allotted by the LAC",
		"no appropriate framing detected", NULL, "losing tie breaker", "unsupported PW type",
		"sequencing required without valid L2-Specific Sublayer", "finite state machine error or timeout",
	};

	return NAME(name, result);
}

const char *l2tp_error_name(unsigned error)
{
	static const char *const name[] = {
		"no general error", "no control connection exists yet", "length is wrong",
		"field value out of range or reserved field not zero", "insufficient resources",
		"Session ID is invalid in this context", "vendor-specific error", "try another",
		"unknown AVP with the M bit set",
	};

	return NAME(name, error);
}
