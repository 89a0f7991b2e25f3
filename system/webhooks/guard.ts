/** Which addresses may be connected to. Whatever the public internet does not route is somebody's inside. */
import ipaddr from 'ipaddr.js';

export type Verdict = 'public' | 'allowed' | 'forbidden';
export type Guard = (address: string) => Verdict;

/** `allowedNetworks`: as 10.0.0.0/8; what is inside and may be told all the same. Throws where one is not a network. */
export function createGuard(allowedNetworks: readonly string[]): Guard {
  const allowed = allowedNetworks.map((network) => ipaddr.parseCIDR(network));
  return (text) => {
    // With a zone it is a link's own.
    if (text.includes('%')) return 'forbidden';
    const plain = withoutDots(text);
    if (plain === undefined || !ipaddr.isValid(plain)) return 'forbidden';
    // An IPv4 address that is written as an IPv6 one is the IPv4 address.
    const address = ipaddr.process(plain);
    if (allowed.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits))) return 'allowed';
    const isRouted = address.kind() === 'ipv4' || address.match(globalUnicast);
    return isRouted && address.range() === 'unicast' ? 'public' : 'forbidden';
  };
}

/** All that is given out of IPv6 so far (IANA, "IPv6 Global Unicast Address Assignments"): what lies beside it is old ways to write IPv4, and nobody's. */
const globalUnicast = ipaddr.parseCIDR('2000::/3');

/** As the URL standard writes an IPv6 address: the library takes `::1.2.3.4` for `::ffff:1.2.3.4`, which is another one. Undefined for what is none. */
function withoutDots(text: string): string | undefined {
  if (!text.includes(':')) return text;
  const url = `http://[${text}]`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined;
}

/** Plain HTTP stays inside. */
export const mayConnect = (guard: Guard, { address, isTls }: { readonly address: string; readonly isTls: boolean }): boolean => {
  const verdict = guard(address);
  return verdict === 'allowed' || (verdict === 'public' && isTls);
};
