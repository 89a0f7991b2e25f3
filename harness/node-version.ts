const nodeMajorMin = 26;

/** Ends the process with a sentence on an older runtime: a measurement compares only with the same one, and older ones lack what is used. */
export function requireNode(): void {
  if (Number(process.versions.node.split('.')[0]) >= nodeMajorMin) return;
  process.stderr.write(
    `Headroom needs Node ${nodeMajorMin} and this is ${process.version}. Start it through npm, which brings the right one: npm run scenario -- --help\n`,
  );
  process.exit(2);
}
