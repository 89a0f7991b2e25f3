#!/usr/bin/env bash
# ipaddr.js 2.5.0: the last 32 bits of an IPv6 address may be written with dots or in hex (RFC 4291, 2.2), and both spellings of ::192.0.2.1
# are one address. It is read as two: with dots as the mapped one, ::ffff:192.0.2.1, which process() makes an IPv4 address; in hex as what it
# is. The URL standard's parser and net.BlockList of Node take both for the same. Who judges addresses by range() writes them in one way first.
# Seen: ::192.0.2.1 is 0:0:0:0:0:ffff:c000:201 (ipv4 reserved), ::c000:201 is 0:0:0:0:0:0:c000:201 (ipv6 unicast); URL: [::c000:201] for both
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","ipaddr.js":"2.5.0"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { BlockList } from 'node:net';
import ipaddr from 'ipaddr.js';
const [dotted, hex] = ['::192.0.2.1', '::c000:201'];
const read = (text) => ipaddr.parse(text).toNormalizedString();
const judged = (text) => `${ipaddr.process(text).kind()} ${ipaddr.process(text).range()}`;
const url = (text) => new URL(`http://[${text}]/`).hostname;
const list = new BlockList();
list.addAddress(hex, 'ipv6');
console.log(`${dotted} is ${read(dotted)} (${judged(dotted)}), ${hex} is ${read(hex)} (${judged(hex)}); URL: ${url(dotted)} and ${url(hex)}`);
const isOneElsewhere = url(dotted) === url(hex) && list.check(dotted, 'ipv6');
process.exitCode = isOneElsewhere && read(dotted) === read(`::ffff:192.0.2.1`) && read(dotted) !== read(hex) ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
