/** R72: a service that was asked is as good as a new one. */
import { randomBytes } from 'node:crypto';
import { Broken, hold, type Rule } from './rule.ts';

/** Long ones would make it as long again, and say no more. */
const askedMsMax = 6000;

export const twiceOf = (rules: readonly Rule[]): Rule => ({
  id: 'R72',
  title: 'all rules that need no service of their own, twice in a row against one service',
  needs: ['second account'],
  check: async (context) => {
    const skipped = new Set<string>();
    for (const round of ['first', 'second']) {
      let asked = 0;
      for (const rule of rules.filter(({ needs, id }) => !needs.includes('own service') && !skipped.has(id))) {
        const mark = randomBytes(6).toString('hex');
        const beganMs = performance.now();
        await rule.check({ ...context, name: (what) => `${rule.id}-${mark}-${what}` }).catch((error: unknown) => {
          if (error instanceof Broken) throw new Broken(`${rule.id}, asked for the ${round} time: ${error.message}`);
          throw error;
        });
        asked++;
        if (performance.now() - beganMs > askedMsMax) skipped.add(rule.id);
      }
      hold(asked > 3, 'rules to ask', asked);
    }
  },
});
