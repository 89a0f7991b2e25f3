/** Says which faults there are, a line of JSON each: for whoever may not import them. */
import { faults } from './faults.ts';

for (const { name, breaks, about } of faults) process.stdout.write(`${JSON.stringify({ name, breaks, about })}\n`);
