/** Whether a verdict keeps its published schema; for tests, which ask it of the outputs of every engine. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import repeatedSchema from './repeated-verdict.schema.json' with { type: 'json' };
import verdictSchema from './verdict.schema.json' with { type: 'json' };

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false });
addFormats.default(ajv);
ajv.addSchema(verdictSchema);
const isVerdict = ajv.getSchema('urn:headroom:verdict:1') as NonNullable<ReturnType<typeof ajv.getSchema>>;
const isRepeated = ajv.compile(repeatedSchema);

/** As a reader meets it: after JSON, in which `undefined` is missing and Infinity is null. */
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

export const verdictComplaints = (value: unknown): unknown => (isVerdict(throughJson(value)) ? [] : isVerdict.errors);
export const repeatedComplaints = (value: unknown): unknown => (isRepeated(throughJson(value)) ? [] : isRepeated.errors);
