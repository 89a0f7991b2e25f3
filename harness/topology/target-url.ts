/** What may be given as a target: where a service is, and nothing that a request to it would silently lose. */

/** What is wrong with it, as a sentence; undefined where it can be used. */
export function targetTrouble(given: string): string | undefined {
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol)) return `--target has to be an http or https URL, as http://127.0.0.1:8080, not ${given}`;
  if (url.username !== '' || url.password !== '')
    return '--target has a user or password in it, which no request would carry: the accounts come from --credentials FILE';
  if (url.search !== '' || url.hash !== '') return `--target ends in ${url.search}${url.hash}, which no request would carry: give the address alone`;
  return undefined;
}
