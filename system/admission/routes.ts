/**
 * From method and address to the lane, without the framework's router: it is asked before the framework. It finds what that router finds, or a spelling
 * would choose its lane.
 */
import type { CorsPolicy } from '#system/protocol/headers/cors.ts';
import type { FoundRoute } from './gate.ts';
import { laneOf } from './lanes.ts';

export type RouteTable = {
  readonly add: (route: { readonly method: string; readonly url: string; readonly lane: string | undefined; readonly cors: CorsPolicy }) => void;
  readonly find: (method: string, url: string) => FoundRoute;
};

const nowhere: FoundRoute = { lane: laneOf(undefined), url: 'none', cors: 'open' };
const absolute = /^https?:\/\/[^/?#]+([^#]*)$/i;
const parameter = /:[^/]+/g;

type Pattern = { readonly method: string; readonly pattern: RegExp; readonly order: string; readonly route: FoundRoute };

export function createRouteTable(): RouteTable {
  const plain = new Map<string, FoundRoute>();
  const patterns: Pattern[] = [];
  return {
    add: ({ method, url, lane, cors }) => {
      const route: FoundRoute = { lane: laneOf(lane), url, cors };
      if (!/[:*]/.test(url)) plain.set(`${method} ${url}`, route);
      else {
        patterns.push({ method, route, pattern: patternOf(url), order: url.replace(parameter, '\uffff') });
        // Of two that fit, the one whose text goes on for longer before a parameter.
        patterns.sort((a, b) => (a.order < b.order ? -1 : 1));
      }
    },
    find: (method, url) => {
      const path = pathOf(url);
      if (path === undefined) return nowhere;
      const found = plain.get(`${method} ${path}`) ?? patterns.find((candidate) => candidate.method === method && candidate.pattern.test(path))?.route;
      return found ?? nowhere;
    },
  };
}

/** A parameter may be empty. */
const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .replace(/[.()+]/g, '\\$&')
      .replace('*', '.*')
      .replace(parameter, '[^/]*')}$`,
    's',
  );

/** As the router reads it: escapes are undone, but for those of what has a meaning in an address. Undefined where it is none. */
function pathOf(url: string): string | undefined {
  const target = url.startsWith('/') ? url : absolute.exec(url)?.[1];
  if (target === undefined) return undefined;
  const end = target.search(/[?#]/);
  const path = (end < 0 ? target : target.slice(0, end)) || '/';
  if (!path.includes('%')) return path;
  try {
    return decodeURI(path.replaceAll('%25', '%2525'));
  } catch {
    return undefined;
  }
}
