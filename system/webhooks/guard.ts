/** Which addresses may be connected to. Whatever the public internet does not route is somebody's inside. */
import ipaddr from 'ipaddr.js';

export type Verdict = 'public' | 'allowed' | 'forbidden';
export type Guard = (address: string) => Verdict;

/** `allowedNetworks`: as 10.0.0.0/8; what is inside and may be told all the same. Throws where one is not a network. */
export function createGuard(allowedNetworks: readonly string[]): Guard {
  const allowed = allowedNetworks.map((network) => ipaddr.parseCIDR(network));
  return (text) => {
    // With a zone it is a link's own.
    if (!ipaddr.isValid(text) || text.includes('%')) return 'forbidden';
    // An IPv4 address that is written as an IPv6 one is the IPv4 address.
    const address = ipaddr.process(text);
    if (allowed.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits))) return 'allowed';
    return address.range() === 'unicast' ? 'public' : 'forbidden';
  };
}

/** Plain HTTP stays inside. */
export const mayConnect = (guard: Guard, { address, isTls }: { readonly address: string; readonly isTls: boolean }): boolean => {
  const verdict = guard(address);
  return verdict === 'allowed' || (verdict === 'public' && isTls);
};
