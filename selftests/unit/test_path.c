/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much fits into a packet, reckoned by hand, and against packets that a kernel sent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/path.h"

/* UDP 8, L2TP 8 (and 4), PPP 4; L2TPv3 over IP: Session ID 4, cookie 8, PPP 4. */
enum { V2 = 20, V2_SEQUENCED = 24, V3_IP = 16 };

static void test_plain(void **state)
{
	(void)state;
	/* 1500 - 20 IP - 8 UDP - 8 L2TP - 4 PPP */
	assert_int_equal(path_room(1500, 4, NULL, V2), 1460);
	assert_int_equal(path_room(1500, 6, NULL, V2), 1440);
	assert_int_equal(path_room(1500, 4, NULL, V2_SEQUENCED), 1456);
	assert_int_equal(path_room(1492, 4, NULL, V2), 1452);
	assert_int_equal(path_room(40, 4, NULL, V2), 0);
	assert_int_equal(path_room(41, 4, NULL, V2), 1);
	assert_int_equal(path_room(0, 6, NULL, V2_SEQUENCED), 0);
	assert_int_equal(path_room(1500, 4, NULL, V3_IP), 1464);
}

/* RFC 4303 2: SPI and number 8, IV, data, padding to whole blocks with 2 octets at their end, ICV; RFC 3948: UDP 8. */
static void test_esp(void **state)
{
	struct esp gcm = path_esp("AES_GCM_16", "", true), cbc = path_esp("AES_CBC", "HMAC_SHA2_256_128", true);
	struct esp sha1 = path_esp("3DES_CBC", "HMAC_SHA1_96", false), cha = path_esp("CHACHA20_POLY1305", "", false);
	struct esp worst = path_esp("", "", true);

	(void)state;
	assert_int_equal(gcm.iv, 8);
	assert_int_equal(gcm.block, 4);
	assert_int_equal(gcm.icv, 16);
	/* 1500 - 20 - 8 - 8 - 8 - 16 = 1440; - 2 - 20 */
	assert_int_equal(path_room(1500, 4, &gcm, V2), 1418);
	/* 1500 - 20 - 8 - 8 - 16 - 16 = 1432, whole blocks 1424; - 2 - 20 */
	assert_int_equal(path_room(1500, 4, &cbc, V2), 1402);
	assert_int_equal(path_room(1500, 4, &cbc, V2_SEQUENCED), 1398);
	assert_int_equal(path_room(1400, 4, &cbc, V2), 1306);	/* 1332, whole blocks 1328 */
	/* 1500 - 20 - 8 - 8 - 12 = 1452, whole blocks 1448; - 22 */
	assert_int_equal(path_room(1500, 4, &sha1, V2), 1426);
	assert_int_equal(path_room(1500, 6, &cha, V2), 1500 - 40 - 8 - 8 - 16 - 22);
	assert_int_equal(path_esp("AES_GCM_8", "", false).icv, 8);
	assert_int_equal(path_esp("AES_CBC", "HMAC_SHA2_512_256", false).icv, 32);
	assert_int_equal(path_esp("AES_CBC", "HMAC_SHA2_384_192", false).icv, 24);
	assert_int_equal(path_esp("AES_CBC", "AES_XCBC_96", false).icv, 12);
	assert_true(worst.iv == 16 && worst.block == 16 && worst.icv == 32);
	assert_int_equal(path_esp("A_CIPHER_TO_COME", "HMAC_SHA9_HUGE", true).icv, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_plain), cmocka_unit_test(test_esp) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
