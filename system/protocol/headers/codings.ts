/** Content-Encoding (RFC 9110, 8.4). Pure. */

/** The codings of a body in the order in which they were applied, in lower case and by the name of today; those that change nothing are left out. */
export function readCodings(header: string | undefined): readonly string[] {
  const names = (header ?? '').split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'identity').map((name) => (name === 'x-gzip' ? 'gzip' : name));
}
