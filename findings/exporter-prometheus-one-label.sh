#!/usr/bin/env bash
# @opentelemetry/exporter-prometheus 0.301.0 with sdk-metrics 3.1.1 on Node 26.10.0: two attribute sets that are one in the exposition
# format are written as two samples of one name and labels. Attributes 200 (number) and "200" (text) are two series for the SDK; so are
# http.status and http_status, which become one label. Prometheus drops one of the two samples, or fails the scrape.
# Seen: the same sample twice: asked_total{code="200",…} 1 and … 2; a label that stands twice in one sample: {…http_status="a"…http_status="b"…}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0","@opentelemetry/api":"1.10.0","@opentelemetry/exporter-prometheus":"0.301.0","@opentelemetry/sdk-metrics":"3.1.1"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
const exporter = new PrometheusExporter({ preventServerStart: true });
const meter = new MeterProvider({ readers: [exporter] }).getMeter('finding');
const asked = meter.createCounter('asked');
asked.add(1, { code: 200 });
asked.add(2, { code: '200' });
meter.createCounter('answered').add(1, { 'http.status': 'a', http_status: 'b' });
const { resourceMetrics } = await exporter.collect();
const text = new PrometheusSerializer(undefined, false).serialize(resourceMetrics);
const samples = text.split('\n').filter((line) => line.startsWith('asked_total{'));
const names = samples.map((line) => line.slice(0, line.lastIndexOf(' ')));
const twice = samples.length === 2 && new Set(names).size === 1;
const labels = [...(/^answered_total\{(.*)\}/m.exec(text)?.[1] ?? '').matchAll(/(\w+)="/g)].map(([, name]) => name);
const doubled = labels.filter((name) => name === 'http_status').length === 2;
console.log(samples.join('\n'));
console.log(/^answered_total.*/m.exec(text)?.[0]);
console.log(twice ? 'the same sample twice' : 'one sample each', '; a label twice in one sample:', doubled);
process.exitCode = twice && doubled ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
