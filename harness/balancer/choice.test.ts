import { expect, test } from 'vitest';
import { connectionsAllowed, modelSettings } from './choice.ts';
import { presets } from './presets.ts';

test('a preset alone is the preset, with as many connections as there are descriptors for', () => {
  expect(modelSettings({ kind: 'model', preset: 'nlb' }, 20_000)).toEqual({ ...presets.nlb, connectionsMax: 9872 });
  expect(modelSettings({ kind: 'model', preset: 'nlb' }, undefined)).toEqual(presets.nlb);
  expect(connectionsAllowed(100)).toBe(1);
});

test('the choice overrides its preset, and units begin cold', () => {
  const settings = modelSettings(
    { kind: 'model', preset: 'classic-elb', idleTimeoutMs: 30_000, proxyHeader: 'off', connectionsMax: 5, initialUnits: 2, above: 'delay' },
    1024,
  );
  expect(settings).toMatchObject({ listener: 'tcp', idleTimeoutMs: 30_000, proxyHeader: 'off', connectionsMax: 5, expiry: 'fin' });
  expect(settings.capacity).toEqual({ initialUnits: 2, growthFactor: 1.5, growthMs: 300_000, above: 'delay' });
  expect(modelSettings({ kind: 'model', preset: 'alb', initialUnits: 2 }, 1024).capacity?.above).toBe('refuse');
});

test('more connections than descriptors are refused before the run', () => {
  expect(() => modelSettings({ kind: 'model', preset: 'alb', connectionsMax: 10_000 }, 20_000)).toThrow(
    /connectionsMax is 10000.*20000 descriptors, enough for 9872/,
  );
});
