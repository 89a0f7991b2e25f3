#!/usr/bin/env bash
# hdr-histogram-js 3.0.1 and perf_hooks of Node 26.10.0: the 99th percentile of 1, 2 … 60 is 60 for one and 59 for the other. perf_hooks
# (HdrHistogram_c) rounds the rank 59.4 to the nearest sample, hdr-histogram-js (as Java's) goes up to the sample that covers it: with
# few samples a p99 differs by a whole sample, and the slowest of 60 is in it or not.
# And the log of hdr-histogram-js gives the column Interval_Max in values divided by 1,000 where Java's divides by 1,000,000.
# Seen: p99 of 1..60: hdr-histogram-js 60, perf_hooks 59; Interval_Max of 5000000: 5000.000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","hdr-histogram-js":"3.0.1"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { createHistogram } from 'node:perf_hooks';
import * as hdr from 'hdr-histogram-js';
const [ours, theirs] = [hdr.build(), createHistogram()];
for (let value = 1; value <= 60; value++) {
  ours.recordValue(value);
  theirs.record(value);
}
let log = '';
const writer = new hdr.HistogramLogWriter((line) => {
  log += line;
});
const big = hdr.build();
big.recordValue(5_000_000);
writer.outputIntervalHistogram(big, 1, 2);
const intervalMax = Number(log.split(',')[2]);
const [covering, nearest] = [ours.getValueAtPercentile(99), theirs.percentile(99)];
console.log(`p99 of 1..60: hdr-histogram-js ${covering}, perf_hooks ${nearest}; Interval_Max of 5000000: ${intervalMax}`);
process.exitCode = covering === 60 && nearest === 59 && intervalMax > 4_900 && intervalMax < 5_100 ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
