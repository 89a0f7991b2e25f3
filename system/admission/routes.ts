/** From method and address to the lane, without the framework's router: it is asked before the framework. */
import type { FoundRoute } from './gate.ts';
import { laneOf } from './lanes.ts';

export type RouteTable = {
  readonly add: (route: { readonly method: string; readonly url: string; readonly lane: string | undefined }) => void;
  readonly find: (method: string, url: string) => FoundRoute;
};

const nowhere: FoundRoute = { lane: laneOf(undefined), url: 'none' };

export function createRouteTable(): RouteTable {
  const plain = new Map<string, FoundRoute>();
  const patterns: { readonly method: string; readonly pattern: RegExp; readonly route: FoundRoute }[] = [];
  return {
    add: ({ method, url, lane }) => {
      const route: FoundRoute = { lane: laneOf(lane), url };
      if (!/[:*]/.test(url)) plain.set(`${method} ${url}`, route);
      else
        patterns.push({
          method,
          route,
          pattern: new RegExp(
            `^${url
              .replace(/[.()+]/g, '\\$&')
              .replace(/:[^/]+/g, '[^/]+')
              .replace('*', '.*')}/?$`,
          ),
        });
    },
    find: (method, url) => {
      const end = url.indexOf('?');
      const path = end < 0 ? url : url.slice(0, end);
      const found = plain.get(`${method} ${path}`) ?? patterns.find((candidate) => candidate.method === method && candidate.pattern.test(path))?.route;
      return found ?? nowhere;
    },
  };
}
