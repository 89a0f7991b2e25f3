import type { Rule } from './rule.ts';
import { accessRules } from './rules-access.ts';
import { ingestRules } from './rules-ingest.ts';

export const rules: readonly Rule[] = [...ingestRules, ...accessRules];
