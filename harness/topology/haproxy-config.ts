/** HAProxy's configuration for what a run wants of a balancer. Pure. */
import type { ProxyHeader } from '#harness/balancer/presets.ts';

export type HaproxySettings = {
  readonly listener: 'tcp' | 'http';
  readonly port: number;
  readonly idleTimeoutMs: number;
  /** `v2` as `send-proxy-v2`; the targets are then the listeners that expect it. */
  readonly proxyHeader: ProxyHeader;
  readonly targets: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  readonly connectionsMax: number;
  readonly adminSocket: string;
};

const connectTimeoutMs = 5000;
const checkEveryMs = 250;
/** A node under load that answers late is not a dead one; without this HAProxy waits for as long as between two checks. */
const checkTimeoutMs = 2000;
const sendProxy: Readonly<Record<ProxyHeader, string>> = { off: '', v1: ' send-proxy check-send-proxy', v2: ' send-proxy-v2 check-send-proxy' };

/** One that `haproxy -c` accepts (2.6). Health is /readyz: a node that drains gets nothing new before it says goodbye. */
export function haproxyConfig({ listener, port, idleTimeoutMs, proxyHeader, targets, connectionsMax, adminSocket }: HaproxySettings): string {
  return `global
  maxconn ${connectionsMax}
  log stdout format raw local0 info
  stats socket ${adminSocket} mode 600 level admin

defaults
  mode ${listener}
  log global
  option ${listener}log
  maxconn ${connectionsMax}
  timeout connect ${connectTimeoutMs}ms
  timeout check ${checkTimeoutMs}ms
  timeout client ${idleTimeoutMs}ms
  timeout server ${idleTimeoutMs}ms
${listener === 'http' ? `  timeout http-keep-alive ${idleTimeoutMs}ms\n  option forwardfor\n` : ''}
frontend clients
  bind 127.0.0.1:${port}
  default_backend nodes

backend nodes
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server check inter ${checkEveryMs}ms fall 1 rise 1${sendProxy[proxyHeader]}
${targets.map(({ name, host, port: own }) => `  server ${name} ${host}:${own}`).join('\n')}
`;
}
