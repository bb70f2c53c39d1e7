#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What IPsec refuses, and that both sides say so in one line that names the phase: proposals, identities, pre-shared keys of IKEv1
# and IKEv2; certificates that have expired, were revoked (crl), are signed by somebody else. One that is good comes in between.
#   LAC 192.0.2.2 ... 192.0.2.9 ---- 192.0.2.1 LNS
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
for i in 3 4 5 6 7 20 21 22 23 33; do
	ip -n "$LAC" addr add 192.0.2.$i/24 dev eth0
done

# --- certificates of two authorities ----------------------------------------------------------------
CURVE='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
authority() {	# authority NAME
	# shellcheck disable=SC2086
	openssl req -x509 $CURVE -keyout "$TMP/$1.key" -out "$TMP/$1.pem" -subj "/CN=$1" -days 30
	printf '%s\n' '[ca]' 'default_ca = d' '[d]' "database = $TMP/$1.index" "crlnumber = $TMP/$1.number" 'default_md = sha256' \
		'crl_extensions = x' '[x]' 'authorityKeyIdentifier = keyid:always' >"$TMP/$1.cnf"
	: >"$TMP/$1.index"
	echo 01 >"$TMP/$1.number"
}
signed() {	# signed NAME AUTHORITY [DAYS]
	# shellcheck disable=SC2086
	openssl req $CURVE -keyout "$TMP/$1.key" -out "$TMP/$1.csr" -subj "/CN=$1.example.org"
	openssl x509 -req -in "$TMP/$1.csr" -CA "$TMP/$2.pem" -CAkey "$TMP/$2.key" -CAcreateserial -days "${3:-30}" \
		-extfile <(printf "subjectAltName=DNS:$1.example.org\nauthorityKeyIdentifier=keyid\n") -out "$TMP/$1.pem"
}
between() {	# between NAME AUTHORITY: an authority that another vouches for
	# shellcheck disable=SC2086
	openssl req $CURVE -keyout "$TMP/$1.key" -out "$TMP/$1.csr" -subj "/CN=$1"
	openssl x509 -req -in "$TMP/$1.csr" -CA "$TMP/$2.pem" -CAkey "$TMP/$2.key" -CAcreateserial -days 30 \
		-extfile <(echo 'basicConstraints=critical,CA:true') -out "$TMP/$1.pem"
}
revoked() { openssl ca -config "$TMP/$2.cnf" -keyfile "$TMP/$2.key" -cert "$TMP/$2.pem" -revoke "$TMP/$1.pem"; }
list() {	# list AUTHORITY SECONDS
	openssl ca -config "$TMP/$1.cnf" -keyfile "$TMP/$1.key" -cert "$TMP/$1.pem" -gencrl -crlsec "$2" -out "$TMP/$1.crl"
}
{
	(umask 077; printf -- '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n' >"$TMP/garbage.key") &&
	authority ca && authority ca2 && signed lns ca && signed lac ca && signed old ca -1 && signed thief ca && signed other ca2 &&
		revoked thief ca && list ca 86400 && list ca2 1 && between middle ca && signed leaf middle &&
		cat "$TMP/middle.pem" >>"$TMP/leaf.pem" && cat "$TMP/ca2.pem" "$TMP/ca.pem" >"$TMP/both.pem"
} >"$TMP/openssl.log" 2>&1 || fatal "certificates are made"
certificate() {	# certificate NAME CA [CRL]
	echo "certificate = \"$TMP/$1.pem\" private-key = \"$TMP/$1.key\" ca = \"$TMP/$2.pem\" local-id = \"$1.example.org\""
	[[ -z ${3:-} ]] || echo "crl = \"$TMP/$3.crl\""
}

write_config lns >/dev/null <<CONF
listen "192.0.2.1" { }
pool "p" { range = "10.10.0.10-10.10.0.20" }
user "alice" { password = "wonderland" }
defaults { local-address = "10.10.0.1" pool = "p" }
peer "psk" { address = "192.0.2.2" psk = "sesame" local-id = "lns.example.org" }
peer "named" { address = "192.0.2.3" psk = "sesame" remote-id = "branch.example.org" }
peer "certificate" { address = "192.0.2.4" $(certificate lns ca ca) }
peer "old" { address = "192.0.2.5" $(certificate old ca) }
peer "revoked" { address = "192.0.2.6" $(certificate thief ca) }
peer "strict" { address = "192.0.2.20" $(certificate lns both) }
peer "lax" { address = "192.0.2.16/29" psk = "sesame" }
peer "first" { address = "192.0.2.22" psk = "first" local-id = "first.example.org" }
peer "second" { address = "192.0.2.23" psk = "second" local-id = "second.example.org" }
peer "third" { address = "192.0.2.32/28" psk = "third" }
peer "no-list" { address = "192.0.2.7" $(certificate lns ca2 ca2) }
CONF
tunnel() {	# tunnel NAME ADDRESS KEYS
	echo "tunnel \"$1\" { remote = \"192.0.2.1\" local = \"$2\" user = \"alice\" password = \"wonderland\" start = no $3 }"
}
{
	tunnel v1-proposals 192.0.2.2 'psk = "sesame" ike = 1 proposals = "aes128-sha1-modp2048"'
	tunnel v1-esp 192.0.2.2 'psk = "sesame" ike = 1 esp-proposals = "aes192-sha1"'
	tunnel v1-psk 192.0.2.2 'psk = "open-sesame" ike = 1 remote-id = "lns.example.org"'
	tunnel v1-their-id 192.0.2.2 'psk = "sesame" ike = 1 remote-id = "gate.example.org"'
	tunnel v1-our-id 192.0.2.3 'psk = "sesame" ike = 1 local-id = "twig.example.org"'
	tunnel v2-proposals 192.0.2.2 'psk = "sesame" proposals = "aes128-sha1-modp2048"'
	tunnel v2-esp 192.0.2.2 'psk = "sesame" esp-proposals = "aes192-sha1"'
	tunnel v2-psk 192.0.2.2 'psk = "open-sesame" remote-id = "lns.example.org"'
	tunnel v2-their-id 192.0.2.2 'psk = "sesame" remote-id = "gate.example.org"'
	tunnel v2-our-id 192.0.2.3 'psk = "sesame" local-id = "twig.example.org"'
	tunnel good 192.0.2.4 "remote-id = \"lns.example.org\" $(certificate lac ca ca)"
	tunnel old 192.0.2.4 "$(certificate old ca)"
	tunnel no-key 192.0.2.5 "$(certificate lac ca | sed 's|lac.key|garbage.key|')"
	tunnel wrong-key 192.0.2.5 "$(certificate lac ca | sed 's|lac.key|other.key|')"
	tunnel thief 192.0.2.4 "$(certificate thief ca)"
	tunnel stranger 192.0.2.4 "$(certificate other ca)"
	tunnel to-old 192.0.2.5 "$(certificate lac ca)"
	tunnel to-thief 192.0.2.6 "$(certificate lac ca ca)"
	tunnel no-list 192.0.2.7 "$(certificate other ca)"
	tunnel sneak 192.0.2.20 'psk = "sesame"'
	tunnel honest 192.0.2.21 'psk = "sesame"'
	tunnel chain 192.0.2.20 "$(certificate leaf ca)"
	tunnel first 192.0.2.22 'ike = 1 psk = "first" remote-id = "first.example.org"'
	tunnel second 192.0.2.23 'ike = 1 psk = "second" remote-id = "second.example.org"'
	tunnel third 192.0.2.33 'ike = 1 psk = "third" remote-id = "192.0.2.1"'
} | write_config lac >/dev/null

charon_start "$LNS" lns
charon_start "$LAC" lac
ktund_start "$LNS" lns "$TMP/lns.conf" --charon "$TMP/lns.charon/vici" || fatal "the LNS starts"
ktund_start "$LAC" lac "$TMP/lac.conf" --charon "$TMP/lac.charon/vici" || fatal "the LAC starts"
busywait 10000 grep -q 'is there for IPsec' "$TMP/lns.log"
check "a psk that fits another peer's identity, too: said" \
	grep -q 'ktund-peer-named: who knows the psk of peer .* may call himself branch.example.org' "$TMP/lns.log"

refused() {	# refused TUNNEL WHAT LAC-WORDS LNS-WORDS
	: >"$TMP/lac.log"
	: >"$TMP/lns.log"
	ktun_in lac up tunnel "$1" >"$TMP/up" 2>&1
	check "$2: who dials says so" busywait 15000 grep -q "tunnel $1: IPsec fails in $3" "$TMP/lac.log"
	check "$2: who answers, too" busywait 5000 grep -q "IPsec.* fails in $4" "$TMP/lns.log"
	check_fail "$2: there is no session" sessions_up lns 1
	ktun_in lac down tunnel "$1" >/dev/null 2>&1
}
for v in 1 2; do
	refused v$v-proposals "IKEv$v, no common proposal" 'IKE_SA: the peer takes none of our proposals' "IKE_SA: none of the peer's proposals"
	refused v$v-esp "IKEv$v, no common proposal of ESP" 'CHILD_SA: the peer takes none of our ESP' "CHILD_SA: none of the peer's ESP"
done
refused v1-psk "IKEv1, another psk" 'authentication: .*is the psk the same' 'authentication: .*is the psk the same'
refused v2-psk "IKEv2, another psk" 'authentication: the peer refuses us' 'authentication: the peer has another psk'
refused v2-their-id "IKEv2, the LNS has another identity" 'authentication: the peer refuses us' 'authentication: .*no connection (remote-id'
refused v1-our-id "IKEv1, the LAC has another identity" 'authentication: ' "authentication: the peer's identity"
refused v2-our-id "IKEv2, the LAC has another identity" 'authentication: the peer refuses us' "authentication: the peer"
: >"$TMP/lac.log"
ktun_in lac up tunnel v1-their-id >/dev/null 2>&1
check "IKEv1, the LNS has another identity: who dials says so" busywait 15000 \
	grep -q 'tunnel v1-their-id: IPsec fails in authentication: the peer has another identity' "$TMP/lac.log"
ktun_in lac down tunnel v1-their-id >/dev/null 2>&1

says() {	# says TUNNEL WORDS: up, and its log line
	: >"$TMP/lac.log"
	ktun_in lac up tunnel "$1" >"$TMP/up" 2>&1
	busywait 15000 grep -q "tunnel $1: $2" "$TMP/lac.log"
}
check "a private key that is none: who dials says so" says no-key 'charon refuses its private key'
check "one of another certificate, too" says wrong-key 'IPsec fails in authentication: private-key is not that of our certificate'
ktun_in lac down tunnel wrong-key >/dev/null 2>&1

echo 'connections { }' >"$TMP/none.conf"
check "somebody unloads our secrets and keys, and nothing else" charon_swanctl lns --load-creds --file "$TMP/none.conf"
check "it is noticed: a psk" busywait 30000 grep -q 'ktund-peer-psk: somebody unloaded its psk from charon' "$TMP/lns.log"
check "and a key" busywait 30000 grep -q 'ktund-peer-certificate: somebody unloaded its private key from charon' "$TMP/lns.log"
check "a good certificate that is on no list" ktun_in lac up tunnel good
check "brings a session" busywait 20000 sessions_up lns 1
check "another tunnel on the same way is refused, and it is said why" says thief 'tunnel good goes between the same addresses and ports'
check "the first does not notice" sessions_up lns 1
ktun_in lac down tunnel good >/dev/null 2>&1
busywait 10000 sessions_up lns 0
ktun_in lac up tunnel sneak >/dev/null 2>&1
check "with the proof of one peer from the address of another, who has to prove more: refused" busywait 15000 \
	grep -q 'SCCRQ from 192.0.2.20.*, peer strict refused: its IPsec is another' "$TMP/lns.log"
check_fail "there is no session" sessions_up lns 1
ktun_in lac down tunnel sneak >/dev/null 2>&1
check "a certificate with the one between it and the second of two authorities" ktun_in lac up tunnel chain
check "brings a session" busywait 20000 sessions_up lns 1
ktun_in lac down tunnel chain >/dev/null 2>&1
check "the proof of the other peer does at its own addresses; three more by IKEv1, each with a psk of its own" \
	eval 'for t in honest first second third; do ktun_in lac up tunnel $t; done'
check "bring four sessions" busywait 30000 sessions_up lns 4
for t in honest first second third; do
	ktun_in lac down tunnel $t >/dev/null 2>&1
done
busywait 10000 sessions_up lns 0
refused old "the LAC's certificate has expired" 'authentication: the peer refuses us' "authentication: the peer's certificate is not valid at this time"
refused thief "the LAC's certificate was revoked" 'authentication: the peer refuses us' "authentication: the peer's certificate was revoked"
refused stranger "the LAC's certificate is another authority's" 'authentication: the peer refuses us' \
	"authentication: \(the peer's certificate is not signed by ca\|no certificate of the peer that ca vouches for\)"
refused no-list "the LNS's list has expired" 'authentication: ' 'authentication: the list of revoked certificates has expired'
: >"$TMP/lac.log"
ktun_in lac up tunnel to-old >/dev/null 2>&1
check "the LNS's certificate has expired: who dials says so" busywait 15000 \
	grep -q "tunnel to-old: IPsec fails in authentication: the peer's certificate is not valid at this time" "$TMP/lac.log"
ktun_in lac up tunnel to-thief >/dev/null 2>&1
check "the LNS's certificate was revoked: who dials says so" busywait 15000 \
	grep -q "tunnel to-thief: IPsec fails in authentication: the peer's certificate was revoked" "$TMP/lac.log"
check "after all of this nobody is in" sessions_up lns 0
