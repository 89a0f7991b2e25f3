/** R72: a service that was asked is as good as a new one. */
import { randomBytes } from 'node:crypto';
import { Broken, hold, type Rule } from './rule.ts';

export const twiceOf = (rules: readonly Rule[]): Rule => ({
  id: 'R72',
  title: 'the rules of ingest, items and access, twice in a row against one service',
  needs: ['second account'],
  check: async (context) => {
    for (const round of ['first', 'second']) {
      let asked = 0;
      for (const rule of rules.filter(({ needs }) => !needs.includes('own service'))) {
        const mark = randomBytes(6).toString('hex');
        await rule.check({ ...context, name: (what) => `${rule.id}-${mark}-${what}` }).catch((error: unknown) => {
          if (error instanceof Broken) throw new Broken(`${rule.id}, asked for the ${round} time: ${error.message}`);
          throw error;
        });
        asked++;
      }
      hold(asked > 3, 'rules to ask', asked);
    }
  },
});
