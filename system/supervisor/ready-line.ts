/** The one line that says where the service is; whoever started it reads it. */
import type { Addresses } from './worker.ts';

export type ReadyLine = {
  readonly addresses: Addresses;
  /** Undefined where whoever started it gave it. */
  readonly adminToken: string | undefined;
  readonly workers: readonly number[];
};

export function readyLine({ addresses: { urls, adminUrl, proxyUrl }, adminToken, workers }: ReadyLine): string {
  const line = {
    ready: true,
    url: urls[0],
    urls,
    admin_url: adminUrl,
    ...(proxyUrl === undefined ? {} : { proxy_url: proxyUrl }),
    ...(adminToken === undefined ? {} : { admin_token: adminToken }),
    pid: process.pid,
    workers,
  };
  return `${JSON.stringify(line)}\n`;
}
