/** Settings of admission: what a worker takes on, and what an account and a device may. */
import { type AdmissionSettings, admissionDefaults } from './admission/admission.ts';
import { integer, type Setting } from './setting.ts';

export type AdmissionConfig = {
  readonly requestsInWork: number;
  readonly shedDelayMs: number;
  readonly shedLogAgeMs: number;
  readonly ingestBudgetMs: number;
  readonly pendingMib: number;
  readonly accountQuotas: AccountQuotas;
  readonly deviceIngestPerSecond: number;
  readonly deviceRegistrationsPerMinute: number;
  readonly deviceRegistrationBurst: number;
};

/** Of the settings, what the room of admission takes. */
export const admissionOf = (config: AdmissionConfig): AdmissionSettings => ({
  placesMax: config.requestsInWork,
  shedDelayMs: config.shedDelayMs,
  shedLogAgeMs: config.shedLogAgeMs,
  ingestBudgetMs: config.ingestBudgetMs,
  pendingBytesMax: config.pendingMib * 2 ** 20,
  accountPerSecond: config.accountQuotas,
  deviceIngestPerSecond: config.deviceIngestPerSecond,
  deviceRegistrationsPerMinute: config.deviceRegistrationsPerMinute,
  deviceRegistrationBurst: config.deviceRegistrationBurst,
});

type AccountQuotas = AdmissionSettings['accountPerSecond'];
const quotaMax = 1_000_000;

/** Lanes that are not named keep their default. */
function readQuotas(value: string): AccountQuotas | undefined {
  const quotas: Record<string, number> = { ...admissionDefaults.accountPerSecond };
  for (const part of value.split(',')) {
    const [lane = '', perSecond = ''] = part.trim().split('=');
    if (quotas[lane] === undefined || !/^\d+$/.test(perSecond) || Number(perSecond) < 1 || Number(perSecond) > quotaMax) return undefined;
    quotas[lane] = Number(perSecond);
  }
  return quotas;
}

const shownQuotas = (quotas: AccountQuotas): string =>
  Object.entries(quotas)
    .map(([lane, perSecond]) => `${lane}=${perSecond}`)
    .join(',');

export const admissionSettings = {
  requestsInWork: {
    flag: 'requests-in-work',
    env: 'HEADROOM_REQUESTS_IN_WORK',
    about: 'requests that a worker has in work at once; each lane has a share of it',
    ...integer(10, 1_000_000),
    byDefault: admissionDefaults.placesMax,
  },
  shedDelayMs: {
    flag: 'shed-delay-ms',
    env: 'HEADROOM_SHED_DELAY_MS',
    about: 'delay of a worker’s event loop beyond which the lowest lanes are shed; higher ones endure a multiple, ingest any',
    ...integer(5, 60_000),
    byDefault: admissionDefaults.shedDelayMs,
  },
  shedLogAgeMs: {
    flag: 'shed-log-age-ms',
    env: 'HEADROOM_SHED_LOG_AGE_MS',
    about: 'age of the oldest append in work beyond which the lowest lanes are shed',
    ...integer(5, 60_000),
    byDefault: admissionDefaults.shedLogAgeMs,
  },
  ingestBudgetMs: {
    flag: 'ingest-budget-ms',
    env: 'HEADROOM_INGEST_BUDGET_MS',
    about: 'what an answer to ingest may take; beyond two fifths of it the lowest lanes are shed, higher ones endure a multiple',
    ...integer(10, 60_000),
    byDefault: admissionDefaults.ingestBudgetMs,
  },
  pendingMib: {
    flag: 'pending-mib',
    env: 'HEADROOM_PENDING_MIB',
    about: 'MiB of request bodies in work at a worker; the lowest lanes are shed from nine tenths of it',
    ...integer(1, 65_536),
    byDefault: admissionDefaults.pendingBytesMax / 2 ** 20,
  },
  accountQuotas: {
    flag: 'account-quotas',
    env: 'HEADROOM_ACCOUNT_QUOTAS',
    about: 'requests a second of each account without a quota of its own, by lane',
    read: readQuotas,
    expected: `lane=requests a second with commas between, of the lanes ${Object.keys(admissionDefaults.accountPerSecond).join(', ')}, each from 1 to ${quotaMax}`,
    byDefault: admissionDefaults.accountPerSecond,
    show: shownQuotas,
  },
  deviceIngestPerSecond: {
    flag: 'device-ingest-per-second',
    env: 'HEADROOM_DEVICE_INGEST_PER_SECOND',
    about: 'batches a second of each device',
    ...integer(1, quotaMax),
    byDefault: admissionDefaults.deviceIngestPerSecond,
  },
  deviceRegistrationsPerMinute: {
    flag: 'device-registrations-per-minute',
    env: 'HEADROOM_DEVICE_REGISTRATIONS_PER_MINUTE',
    about: 'registrations a minute of each device that change something',
    ...integer(1, quotaMax),
    byDefault: admissionDefaults.deviceRegistrationsPerMinute,
  },
  deviceRegistrationBurst: {
    flag: 'device-registration-burst',
    env: 'HEADROOM_DEVICE_REGISTRATION_BURST',
    about: 'as many of them at once',
    ...integer(1, quotaMax),
    byDefault: admissionDefaults.deviceRegistrationBurst,
  },
} satisfies { [K in keyof AdmissionConfig]: Setting<AdmissionConfig[K]> };
