#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients as NetworkManager-l2tp makes them: strongSwan by IKEv1 with its list of proposals, xl2tpd, pppd; behind a NAT that keeps
# the source port and one that does not; from port 1701 and from any; with a pre-shared key and with certificates.
#   C1 (1701), C2 (any port) ---- NAT 203.0.113.2 ---- 203.0.113.1 LNS      pre-shared key
#   C3 (1701), C4 (any port) ---- NAT 198.51.100.2 ---- 198.51.100.1 LNS    certificates
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns LNS NAT C1 C2 C3 C4
veth_pair "$LNS" eth0 203.0.113.1/24 "$NAT" out0 203.0.113.2/24
veth_pair "$LNS" eth1 198.51.100.1/24 "$NAT" out1 198.51.100.2/24
nat "$NAT" 'iifname { c1, c3 } masquerade' 'iifname { c2, c4 } masquerade fully-random'
for i in 1 2 3 4; do
	declare -n client=C$i
	veth_pair "$NAT" c$i 192.168.$i.1/24 "$client" eth0 192.168.$i.10/24
	ip -n "$client" route add default via 192.168.$i.1
done

CURVE='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
signed() {
	# shellcheck disable=SC2086
	openssl req $CURVE -keyout "$TMP/$1.key" -out "$TMP/$1.csr" -subj "/CN=$1.example.org" &&
		openssl x509 -req -in "$TMP/$1.csr" -CA "$TMP/ca.pem" -CAkey "$TMP/ca.key" -CAcreateserial -days 30 \
			-extfile <(echo "subjectAltName=DNS:$1.example.org") -out "$TMP/$1.pem"
}
{
	# shellcheck disable=SC2086
	openssl req -x509 $CURVE -keyout "$TMP/ca.key" -out "$TMP/ca.pem" -subj /CN=ca -days 30
	signed lns && signed c3 && signed c4
} >"$TMP/openssl.log" 2>&1 || fatal "certificates are made"

CONFIG=$(write_config lns <<-CONF
	listen "203.0.113.1" { }
	listen "198.51.100.1" { }
	user "u1" { password = "wonderland" address = "10.10.0.11" }
	user "u2" { password = "wonderland" address = "10.10.0.12" }
	user "u3" { password = "wonderland" address = "10.10.0.13" }
	user "u4" { password = "wonderland" address = "10.10.0.14" }
	defaults { local-address = "10.10.0.1" proposals = compatible ike = 1 }
	peer "psk" { address = "203.0.113.0/24" psk = "sesame" }
	peer "certificates" {
	    address = "198.51.100.0/24"
	    certificate = "$TMP/lns.pem" private-key = "$TMP/lns.key" ca = "$TMP/ca.pem" local-id = "lns.example.org"
	}
CONF
)
capture "$LNS" any "$TMP/wire.pcap" 'udp port 1701 and (net 203.0.113.0/24 or net 198.51.100.0/24)'
charon_start "$LNS" lns
ktund_start "$LNS" lns "$CONFIG" --charon "$TMP/lns.charon/vici" || fatal "the LNS starts"
busywait 10000 grep -q 'is there for IPsec' "$TMP/lns.log"

client() {	# client I LNS LOCAL-TS AUTHENTICATION
	local i=$1
	local -n n=C$1
	charon_start "$n" "c$i"
	mkdir "$TMP/c$i.charon/private"
	[[ $4 == psk ]] || cp "$TMP/c$i.key" "$TMP/c$i.charon/private/"
	charon_load "c$i" >"$TMP/load.out" 2>&1 <<-CONF
		connections {
		    nm {
		        version = 1
		        remote_addrs = $2
		        proposals = aes256-sha256-modp2048, aes256-sha1-modp2048, aes256-sha1-ecp384, aes128-sha1-ecp256
		        rekey_time = 8h
		        $(if [[ $4 == psk ]]; then
				printf 'local {\nauth = psk\n}\nremote {\nauth = psk\nid = %%any\n}\n'
			else
				printf 'local {\nauth = pubkey\ncerts = %s\nid = c%s.example.org\n}\n' "$TMP/c$i.pem" "$i"
				printf 'remote {\nauth = pubkey\ncacerts = %s\nid = lns.example.org\n}\n' "$TMP/ca.pem"
			fi)
		        children {
		            l2tp {
		                mode = transport
		                esp_proposals = aes256-sha1, aes128-sha1
		                local_ts = $3
		                remote_ts = dynamic[udp/1701]
		            }
		        }
		    }
		}
		secrets {
		    ike-1 {
		        secret = "sesame"
		    }
		}
	CONF
	check "client $i: IPsec" charon_swanctl "c$i" --initiate --child l2tp --timeout 20
	XL2TPD_OPTS='tunnel rws = 8' xl2tpd_lac "$n" "x$i" "$2" "u$i" wonderland any
}
any_port='port = 0'
client 1 203.0.113.1 'dynamic[udp/1701]' psk
XL2TPD_GLOBAL=$any_port client 2 203.0.113.1 'dynamic[udp]' psk
client 3 198.51.100.1 'dynamic[udp/1701]' certificates
XL2TPD_GLOBAL=$any_port client 4 198.51.100.1 'dynamic[udp]' certificates
check "all four come up" busywait 60000 sessions_up lns 4
for i in 1 2 3 4; do
	declare -n client=C$i
	check "client $i: has its address" ppp_ready "$client" ppp0
	check "client $i: pings, small and large" ping_ok "$client" 10.10.0.1 56 1300
	check "client $i: is pinged" ping_ok "$LNS" 10.10.0.1$i
done
ports() { ip -n "$LNS" xfrm state | grep -o 'espinudp sport [0-9]* dport [0-9]*' | tr '\n' ' '; }
echo "# $(ports)"
check "of two the NAT kept the port" test "$(ports | grep -o 'sport 4500 dport 4500' | wc -l)" -eq 4
xl2tpd_stop x1 x4
check "two leave" busywait 15000 sessions_up lns 2
check "the others do not notice" eval 'ping_ok "$C2" 10.10.0.1 && ping_ok "$C3" 10.10.0.1'
capture_stop
clear_udp() { tcpdump -n -r "$TMP/wire.pcap" 2>/dev/null; }
nothing_in_clear() { local out; out=$(clear_udp); [[ -z $out ]] || { echo "$out"; false; }; }
check "nothing in the clear" nothing_in_clear
