/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of the protocols in their RFCs' words, for logs and `ktun show`. */
#pragma once

/* All return a static string; "?" for a number that has no name. */

/* RFC 2661 3.2, RFC 3931 3.1: "SCCRQ" ... */
const char *l2tp_msg_name(unsigned type);
/* RFC 2661 4.4, RFC 3931 10.1: "Host Name" ... */
const char *l2tp_avp_name(unsigned type);
/* RFC 2661 4.4.2, RFC 3931 5.4.2 and IANA: Result Code of StopCCN, of CDN; General Error Code. */
const char *l2tp_stop_result_name(unsigned result);
const char *l2tp_cdn_result_name(unsigned result);
const char *l2tp_error_name(unsigned error);
