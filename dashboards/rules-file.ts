/** The rules as Prometheus reads them. */
import { stringify } from 'yaml';
import { type AlertingRule, alertingRules } from './alerting-rules.ts';
import { recordingRules } from './recording-rules.ts';

const asWritten = ({ alert, expr, for: forDuration, severity, summary, description }: AlertingRule) => ({
  alert,
  expr,
  for: forDuration,
  labels: { severity },
  annotations: { summary, description },
});

export const rulesText = (): string =>
  stringify(
    {
      groups: [
        { name: 'headroom-recorded', rules: recordingRules },
        { name: 'headroom-promises', rules: alertingRules.map(asWritten) },
      ],
    },
    { lineWidth: 0 },
  );
