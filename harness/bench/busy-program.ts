// Another program on the machine: of every three seconds it computes for one. `noisy-verdicts` starts it, bound to one core.
const busyMs = 1000;
const idleMs = 2000;

function compute(): void {
  const untilMs = performance.now() + busyMs;
  while (performance.now() < untilMs) Math.sqrt(untilMs);
  setTimeout(compute, idleMs);
}

compute();
