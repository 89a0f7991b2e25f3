import { GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Vault } from './vault.ts';

export type S3Settings = {
  readonly bucket: string;
  /** Before every key; empty or with a slash at its end. */
  readonly prefix: string;
  /** Undefined: AWS itself. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly accessKey: string | undefined;
  readonly secretKey: string | undefined;
};

const silenceMsMaxDefault = 30_000;
const connectionTimeoutMs = 5000;
const attemptsMax = 3;

/**
 * Without keys the SDK looks where it always does: environment, profile, the machine's role. An endpoint that is silent for longer than
 * `silenceMsMax` is given up, after `attemptsMax` tries.
 */
export function createS3Vault(
  { bucket, prefix, endpoint, region, accessKey, secretKey }: S3Settings,
  { silenceMsMax = silenceMsMaxDefault }: { readonly silenceMsMax?: number } = {},
): Vault {
  const client = new S3Client({
    region,
    maxAttempts: attemptsMax,
    // The SDK's requestTimeout only warns, and would cut off an upload that is slow but goes on.
    requestHandler: { socketTimeout: silenceMsMax, connectionTimeout: connectionTimeoutMs },
    // Other servers than AWS's do not know its newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(accessKey === undefined || secretKey === undefined ? {} : { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } }),
  });
  return {
    put: async (key, bytes) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${prefix}${key}`, Body: bytes, ContentLength: bytes.length }));
    },
    get: async (key) => {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${prefix}${key}` }));
        return await Body?.transformToByteArray();
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        throw error;
      }
    },
    close: () => client.destroy(),
  };
}
