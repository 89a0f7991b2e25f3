/** What was found: a table for people, JUnit for CI. */
import Table from 'cli-table3';
import { junitText, newJunit } from '#harness/report/junit-builder.ts';
import type { RuleOutcome } from './run.ts';

const words = { holds: 'holds', broken: 'BROKEN', untold: 'cannot be told here', skipped: 'skipped', error: 'ERROR' } as const;

export function tableOf(outcomes: readonly RuleOutcome[]): string {
  const table = new Table({ head: ['rule', 'says', '', 'ms'], style: { head: [], border: [] }, wordWrap: true, colWidths: [7, 62, 11, 8] });
  for (const { rule, title, outcome, milliseconds } of outcomes) table.push([rule, title, words[outcome], milliseconds]);
  const why = outcomes.filter(({ text }) => text !== '').map(({ rule, outcome, text }) => `${rule} ${words[outcome]}: ${text}\n`);
  const count = (wanted: RuleOutcome['outcome']): number => outcomes.filter(({ outcome }) => outcome === wanted).length;
  return `${table.toString()}\n${why.join('')}${count('holds')} hold, ${count('broken')} broken, ${count('untold')} not to be told here, ${count('skipped')} skipped, ${count('error')} errors\n`;
}

/** A broken rule is a failure; one that could not be asked, or not be told, is an error or skipped. */
export function junitOf(outcomes: readonly RuleOutcome[]): string {
  const builder = newJunit();
  const suite = builder.testSuite().name('headroom.conformance');
  for (const { rule, title, outcome, text, milliseconds } of outcomes) {
    const test = suite
      .testCase()
      .className('conformance')
      .name(`${rule} ${title}`)
      .time(milliseconds / 1000);
    if (outcome === 'broken') test.failure(text, 'broken');
    else if (outcome === 'error') test.error(text, 'error');
    else if (outcome === 'skipped' || outcome === 'untold') test.skipped();
  }
  return junitText(builder);
}
