/**
 * Manifests for the k6-operator: the script and its devices in a ConfigMap (or on a volume, where they do not fit one), and a TestRun whose
 * pods share every phase's iterations out by segments. The operator gives each pod its segment and its tags (`instance_id`, `testrun_name`),
 * and merges nothing: so each pod leaves its samples on a volume under its own name. Pure.
 */

/** Of a ConfigMap's 1 MiB, with room for its own words. */
const configMapBytesMax = 1_000_000;
const image = 'grafana/k6:2.2.0';
const resultsClaim = 'headroom-results';
const resultsFolder = '/results';
export const scriptsClaim = 'headroom-scripts';

export type OperatorInput = {
  readonly name: string;
  readonly run: string;
  readonly parallelism: number;
  readonly targetUrl: string;
  readonly scriptFile: string;
  /** By name: the script and `devices.json`. */
  readonly files: Readonly<Record<string, string>>;
  readonly csvTimeFormat: string;
};

export type Manifest = Readonly<Record<string, unknown>> & { readonly kind: string };
export type Manifests = { readonly configMap: Manifest | undefined; readonly testRun: Manifest };

export function operatorManifests(input: OperatorInput): Manifests {
  const { name, files, scriptFile } = input;
  const metadata = { name: `headroom-${name}`, labels: { 'app.kubernetes.io/managed-by': 'headroom', 'headroom/run': input.run } };
  const fits = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0) <= configMapBytesMax;
  const script = fits ? { configMap: { name: metadata.name, file: scriptFile } } : { volumeClaim: { name: scriptsClaim, file: scriptFile, readOnly: true } };
  return {
    configMap: fits ? { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: files } : undefined,
    testRun: {
      apiVersion: 'k6.io/v1alpha1',
      kind: 'TestRun',
      metadata,
      spec: { parallelism: input.parallelism, script, arguments: '--no-thresholds --summary-mode disabled', runner: runnerOf(input) },
    },
  };
}

const runnerOf = ({ targetUrl, csvTimeFormat, run }: OperatorInput) => ({
  image,
  metadata: { labels: { 'headroom/run': run } },
  env: [
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'K6_OUT', value: `csv=${resultsFolder}/$(POD_NAME).csv` },
    { name: 'K6_CSV_TIME_FORMAT', value: csvTimeFormat },
    { name: 'HEADROOM_TARGET', value: targetUrl },
  ],
  volumes: [{ name: 'results', persistentVolumeClaim: { claimName: resultsClaim } }],
  volumeMounts: [{ name: 'results', mountPath: resultsFolder }],
});
