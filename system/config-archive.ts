/** Settings of the archive. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createFolderVault } from './archive/folder-vault.ts';
import type { Vault } from './archive/vault.ts';
import { integer, type Setting, text } from './setting.ts';

export type ArchiveConfig = {
  readonly archive: string;
  readonly archiveEveryMs: number;
  readonly archiveSegmentBytes: number;
  readonly archiveBytesPerSecond: number;
  readonly archiveEndpoint: string | undefined;
  readonly archiveRegion: string;
  readonly archiveAccessKey: string | undefined;
  readonly archiveSecretKey: string | undefined;
};

const s3Place = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;
const inData = 'in-data';

export const archiveSettings = {
  archive: {
    flag: 'archive',
    env: 'HEADROOM_ARCHIVE',
    about: 'where kept events go for longer than the hot window: off, in-data (a folder of the data folder), a folder, or s3://BUCKET/PREFIX',
    read: (value: string) => (value === '' || (value.startsWith('s3:') && !s3Place.test(value)) ? undefined : value),
    expected: 'off, in-data, a folder, or s3://BUCKET/PREFIX',
    byDefault: inData,
  },
  archiveEveryMs: {
    flag: 'archive-every-ms',
    env: 'HEADROOM_ARCHIVE_EVERY_MS',
    about: 'how often what was kept is archived',
    ...integer(100, 43_200_000),
    byDefault: 3_600_000,
  },
  archiveSegmentBytes: {
    flag: 'archive-segment-bytes',
    env: 'HEADROOM_ARCHIVE_SEGMENT_BYTES',
    about: 'bytes of events in a segment before it is packed',
    ...integer(16_384, 268_435_456),
    byDefault: 8_388_608,
  },
  archiveBytesPerSecond: {
    flag: 'archive-bytes-per-second',
    env: 'HEADROOM_ARCHIVE_BYTES_PER_SECOND',
    about: 'packed bytes that a worker puts into the archive in a second',
    ...integer(1024, 1_073_741_824),
    byDefault: 8_388_608,
  },
  archiveEndpoint: {
    flag: 'archive-endpoint',
    env: 'HEADROOM_ARCHIVE_ENDPOINT',
    about: 'URL of an S3-compatible store; AWS itself without it',
    read: (value: string) => (URL.canParse(value) && /^https?:/.test(value) ? value : undefined),
    expected: 'a URL',
    byDefault: undefined as string | undefined,
  },
  archiveRegion: { flag: 'archive-region', env: 'HEADROOM_ARCHIVE_REGION', about: 'its region', ...text, byDefault: 'us-east-1' },
  archiveAccessKey: {
    flag: 'archive-access-key',
    env: 'HEADROOM_ARCHIVE_ACCESS_KEY',
    about: 'its access key; without it the AWS SDK looks where it always does',
    ...text,
    byDefault: undefined as string | undefined,
  },
  archiveSecretKey: {
    flag: 'archive-secret-key',
    env: 'HEADROOM_ARCHIVE_SECRET_KEY',
    about: 'its secret key',
    ...text,
    byDefault: undefined as string | undefined,
  },
} as const satisfies { [K in keyof ArchiveConfig]: Setting<ArchiveConfig[K]> };

export const isArchiveOn = ({ archive }: ArchiveConfig): boolean => archive !== 'off';

/** Undefined where the archive is off. The AWS SDK is loaded for S3 alone: it costs a worker some 12 MiB. */
export async function vaultOf(config: ArchiveConfig & { readonly dataFolder: string }): Promise<Vault | undefined> {
  const { archive, dataFolder } = config;
  if (!isArchiveOn(config)) return undefined;
  const [, bucket, prefix = ''] = s3Place.exec(archive) ?? [];
  if (bucket === undefined) return createFolderVault(archive === inData ? join(dataFolder, 'archive') : archive);
  const { createS3Vault } = await import('./archive/s3-vault.ts');
  return createS3Vault({
    bucket,
    prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
    endpoint: config.archiveEndpoint,
    region: config.archiveRegion,
    accessKey: config.archiveAccessKey,
    secretKey: config.archiveSecretKey,
  });
}

export const archiverSettings = ({ archiveEveryMs, archiveSegmentBytes, archiveBytesPerSecond }: ArchiveConfig) => ({
  everyMs: archiveEveryMs,
  segmentBytesMax: archiveSegmentBytes,
  bytesPerSecondMax: archiveBytesPerSecond,
  owner: `${process.pid}-${randomBytes(4).toString('hex')}`,
});
