/** The scenario's schema as it is published: JSON Schema, by which editors complete a scenario in JSON. Pure. */
import { Scenario } from './scenario.ts';

export const scenarioJsonSchema: object = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:headroom:scenario:1',
  title: 'Headroom scenario',
  ...Scenario,
  properties: { $schema: { type: 'string', description: 'For the editor; a run does not look at it.' }, ...Scenario.properties },
};
