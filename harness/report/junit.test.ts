import { expect, test } from 'vitest';
import { junitOf } from '#harness/conformance/show.ts';
import { judge } from '#harness/gates/judge.ts';
import type { RunResult } from '#harness/run-result.ts';
import { exampleSpike } from './example-spike.ts';
import { junitXml } from './junit.ts';

/** As junit-10.xsd of Jenkins' xUnit plugin has them, of what is written here: an element's attributes, and what may stand in it. */
const schema: Readonly<Record<string, { readonly attributes: readonly string[]; readonly children: readonly string[]; readonly required: readonly string[] }>> =
  {
    testsuites: { attributes: ['name', 'time', 'tests', 'failures', 'errors'], required: [], children: ['testsuite'] },
    testsuite: {
      attributes: ['name', 'tests', 'failures', 'errors', 'time', 'skipped', 'timestamp', 'hostname', 'id', 'package', 'file', 'log', 'url'],
      required: ['name', 'tests', 'failures', 'errors'],
      children: ['testsuite', 'properties', 'testcase', 'system-out', 'system-err'],
    },
    testcase: { attributes: ['name', 'time', 'classname', 'group'], required: ['name'], children: ['skipped', 'error', 'failure', 'system-out', 'system-err'] },
    properties: { attributes: [], required: [], children: ['property'] },
    property: { attributes: ['name', 'value'], required: ['name', 'value'], children: [] },
    failure: { attributes: ['type', 'message'], required: [], children: [] },
    error: { attributes: ['type', 'message'], required: [], children: [] },
    skipped: { attributes: ['type', 'message'], required: [], children: [] },
    'system-out': { attributes: [], required: [], children: [] },
    'system-err': { attributes: [], required: [], children: [] },
  };

/** Everything in the document that the schema does not have. */
function complaintsOf(xml: string): readonly string[] {
  const complaints: string[] = [];
  const open: string[] = [];
  for (const [, closing, name = '', attributes = '', empty] of xml
    .replaceAll(/<!\[CDATA\[[\s\S]*?\]\]>/g, '')
    .matchAll(/<(\/?)([a-z-]+)((?: [a-z]+="[^"]*")*)(\/?)>/g)) {
    if (closing === '/') {
      open.pop();
      continue;
    }
    const known = schema[name];
    const parent = open.at(-1);
    const given = [...attributes.matchAll(/ ([a-z]+)="[^"]*"/g)].map(([, attribute = '']) => attribute);
    if (known === undefined || (parent !== undefined && !schema[parent]?.children.includes(name))) complaints.push(`${name} in ${parent}`);
    complaints.push(...given.filter((one) => !known?.attributes.includes(one)).map((one) => `${name} has ${one}`));
    complaints.push(...(known?.required ?? []).filter((one) => !given.includes(one)).map((one) => `${name} lacks ${one}`));
    if (empty !== '/') open.push(name);
  }
  return complaints;
}

const good = exampleSpike();
const troubled = exampleSpike({ troubled: true });
const unmeasured: RunResult = { ...good.result, cells: [], phases: [], interrupted: { kind: 'unmeasured', text: 'nothing answers at http://127.0.0.1:1' } };
const rule = { rule: 'R1', title: 'it answers', milliseconds: 3, text: 'why' };

test.each([
  ['a pass', junitXml(good.result, good.verdict)],
  ['a run with every kind of trouble', junitXml(troubled.result, troubled.verdict)],
  ['a run of which nothing was measured', junitXml(unmeasured, judge(unmeasured, good.thresholds))],
  ['rules of every outcome', junitOf((['holds', 'broken', 'skipped', 'error'] as const).map((outcome) => ({ ...rule, outcome })))],
])('%s is valid by the schema of Jenkins’ xUnit plugin', (_, xml) => {
  expect(complaintsOf(xml)).toEqual([]);
  expect(xml).toContain('<testcase');
});

test('the schema is not empty words', () => {
  expect(complaintsOf('<testsuites skipped="0"><testsuite><testcase name="x"><properties/></testcase></testsuite></testsuites>')).toEqual([
    'testsuites has skipped',
    'testsuite lacks name',
    'testsuite lacks tests',
    'testsuite lacks failures',
    'testsuite lacks errors',
    'properties in testcase',
  ]);
});

test('a target that did not answer is an error that says so, and no threshold is broken by it', () => {
  const xml = junitXml(unmeasured, judge(unmeasured, good.thresholds));
  expect(xml).toMatch(/name="not-measured"[\s\S]*nothing answers at http:\/\/127\.0\.0\.1:1/);
  expect(xml).not.toContain('<failure');
  expect([...xml.matchAll(/<error/g)]).toHaveLength(good.thresholds.length + 1);
});

test('what failed stands beside each threshold that does not hold, and nothing of it steers a terminal', () => {
  const failures = [{ phase: 'spike', operation: 'ingest', reason: 'status 500 \u001b[2J<b>', count: 1234 }];
  const xml = junitXml(troubled.result, { ...troubled.verdict, failures });
  expect(xml).toContain('1,234 × status 500 \\u001b[2J<b> (spike, ingest)');
});
