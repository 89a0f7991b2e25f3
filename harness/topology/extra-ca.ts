/** Certificates of an authority of one's own, in every thread and process of a run. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { messageOf } from '#harness/message-of.ts';
import { UsageError } from '#harness/usage-error.ts';

const ofThreads = 'HEADROOM_CA';

/** Throws a sentence where the file cannot be used. */
export function trustAuthority(file: string): void {
  try {
    const pem = readFileSync(file, 'utf8');
    // The next call takes a text without any certificate in silence.
    new X509Certificate(pem);
    setDefaultCACertificates([...getCACertificates('default'), pem]);
  } catch (error) {
    throw new UsageError(`--ca ${file} cannot be used: ${messageOf(error)}. It has to hold certificates in PEM`);
  }
  // Processes that start from here read these: Node's own name for it, that of Go (k6), and ours for a thread of this one.
  Object.assign(process.env, { NODE_EXTRA_CA_CERTS: file, SSL_CERT_FILE: file, [ofThreads]: file });
}

/** For a thread that starts later, which has the environment and not the certificates. */
export function trustAuthorityOfEnvironment(): void {
  const file = process.env[ofThreads];
  if (file !== undefined) trustAuthority(file);
}

const unknownAuthority = ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT'];

/** What to do about it, where it is a certificate that nobody here vouches for. */
export const authorityAdvice = (error: unknown): string =>
  unknownAuthority.includes(String((error as NodeJS.ErrnoException).code))
    ? '. Its certificate is of an authority that this machine does not know: give the authority’s certificate with --ca FILE'
    : '. Is the service running, and is the address right?';
