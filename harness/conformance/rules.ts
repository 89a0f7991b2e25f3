import type { Rule } from './rule.ts';
import { accessRules } from './rules-access.ts';
import { balancerRules } from './rules-balancer.ts';
import { bytesRules } from './rules-bytes.ts';
import { connectionRules, edgeRules } from './rules-connections.ts';
import { cursorRules } from './rules-cursors.ts';
import { deviceRules } from './rules-devices.ts';
import { graphqlRules } from './rules-graphql.ts';
import { gzipRules } from './rules-gzip.ts';
import { ingestRules } from './rules-ingest.ts';
import { memoryRules } from './rules-memory.ts';
import { overloadRules } from './rules-overload.ts';
import { pipelineRules } from './rules-pipeline.ts';
import { quotaRules } from './rules-quotas.ts';
import { streamToken } from './rules-stream-token.ts';
import { streamRules } from './rules-streams.ts';
import { syncRules } from './rules-sync.ts';
import { twiceOf } from './rules-twice.ts';
import { usageRules } from './rules-usage.ts';
import { deliveryRules } from './rules-webhook-deliveries.ts';
import { webhookRules } from './rules-webhooks.ts';

const once: readonly Rule[] = [
  ...ingestRules,
  ...gzipRules,
  ...bytesRules,
  ...cursorRules,
  ...streamRules,
  streamToken,
  ...connectionRules,
  ...pipelineRules,
  ...syncRules,
  ...deviceRules,
  ...accessRules,
  ...edgeRules,
  ...balancerRules,
  ...memoryRules,
  ...usageRules,
  ...webhookRules,
  ...deliveryRules,
  ...graphqlRules,
  ...quotaRules,
  ...overloadRules,
];

export const rules: readonly Rule[] = [...once, twiceOf([...ingestRules, ...gzipRules, ...syncRules, ...accessRules])];
