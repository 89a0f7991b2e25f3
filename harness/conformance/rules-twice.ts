/** R72: a service that was asked is as good as a new one. */
import { randomBytes } from 'node:crypto';
import { Broken, hold, type Rule } from './rule.ts';

export const twiceOf = (rules: readonly Rule[]): Rule => ({
  id: 'R72',
  title: 'the rules of ingest, items and access, twice in a row against one service',
  proves: [
    'A service is as good after it was asked as it was before: no rule leaves anything behind that breaks another, or itself.',
    'That makes it safe to ask a service that has data already.',
  ],
  how: [
    'The rules of ingest, items and access that need no service of their own are asked twice in a row of the same service, under fresh names each',
    'time.',
    'The first that breaks is named with its round.',
  ],
  redBy: ['tires'],
  needs: ['second account'],
  check: async (context) => {
    for (const round of ['first', 'second']) {
      let asked = 0;
      for (const rule of rules.filter(({ needs }) => !needs.includes('own service'))) {
        const mark = randomBytes(6).toString('hex');
        await rule.check({ ...context, service: undefined, name: (what) => `${rule.id}-${mark}-${what}` }).catch((error: unknown) => {
          if (error instanceof Broken) throw new Broken(`${rule.id}, asked for the ${round} time: ${error.message}`);
          throw error;
        });
        asked++;
      }
      hold(asked > 3, 'rules to ask', asked);
    }
  },
});
