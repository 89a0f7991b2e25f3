/** Reads what the service keeps, page after page: to the end, or to where its cursors no longer move. */
import { parsePrometheusText, sumOf } from '#harness/metrics/prometheus-text.ts';
import { type AccountCredentials, secretAuthorization } from '#harness/topology/provision.ts';
import type { Client } from './client.ts';
import { hold } from './rule.ts';

/** An event as history and export show it. */
export type Line = { readonly id: string; readonly position: string; readonly disposition: string };

type Page = { readonly lines: readonly Line[]; readonly next: string | undefined };

/** What rules write is read in a few hundred pages of the smallest kind; cursors that move for ever lead nowhere. */
const pagesMax = 10_000;

async function allPages(what: string, read: (cursor: string) => Promise<Page>): Promise<readonly Line[]> {
  const lines: Line[] = [];
  const seen = new Set<string>();
  for (let cursor = ''; ; ) {
    const page = await read(cursor);
    lines.push(...page.lines);
    if (page.next === undefined) return lines;
    hold(!seen.has(page.next), `a cursor of ${what} that goes on`, page.next);
    seen.add(page.next);
    hold(seen.size < pagesMax, `an end of ${what} within ${pagesMax} pages`, page.next);
    cursor = page.next;
  }
}

export type Device = { readonly device: string; readonly authorization: string };

/** Of one device, in order of acceptance. `query` as the route has it: `include=filtered&limit=1000` for everything. */
export const readHistory = (client: Client, { device, authorization }: Device, query = 'include=filtered&limit=1000'): Promise<readonly Line[]> =>
  allPages('history', async (token) => {
    const path = `/v1/devices/${device}/history?${query}${token === '' ? '' : `&pagination_token=${token}`}`;
    const { status, json, text } = await client.call('GET', path, { headers: { authorization } });
    hold(status === 200 && Array.isArray(json?.events), '200 with events from history', `${status} ${text}`);
    const next = json.pagination_token;
    hold(next === undefined || typeof next === 'string', 'a pagination_token that is a string, or none', next);
    return { lines: json.events as readonly Line[], next };
  });

/** Of the whole account, as the export has it: an empty page is its end. */
export const readExport = (client: Client, account: AccountCredentials): Promise<readonly Line[]> =>
  allPages('the export', async (after) => {
    const path = `/v1/export${after === '' ? '' : `?after=${after}`}`;
    const { status, text, header } = await client.call('GET', path, { headers: { authorization: secretAuthorization(account) } });
    hold(status === 200, '200 from export', `${status} ${text}`);
    if (text === '') return { lines: [], next: undefined };
    const next = header('export-cursor');
    hold(next !== undefined, 'an Export-Cursor', 'none');
    const lines = text.trim().split('\n');
    return { lines: lines.map((line) => JSON.parse(line) as Line), next };
  });

/** What /metrics says of a metric just now, summed over its series; undefined where it says nothing. */
export async function readMetrics(client: Client): Promise<(name: string) => number | undefined> {
  const { status, text } = await client.call('GET', '/metrics');
  hold(status === 200, '200 from /metrics', `${status} ${text}`);
  const values = parsePrometheusText(text);
  return (name) => sumOf(values, name);
}
