#!/usr/bin/env bash
# Node 26.10.0 (20.20.2 the same): nohup does not protect it. nohup works by letting SIGHUP be ignored, which a program inherits, and
# Node sets every signal back to its default when it starts: a closed terminal ends what was started to outlive it. setsid protects.
# Seen: sleep under nohup: still there; node under nohup: ended by SIGHUP
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","dependencies":{"node":"26.10.0"},"allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock
cat > try.js <<'JS'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
async function hangUpOn(...command) {
  const child = spawn('nohup', command, { stdio: 'ignore' });
  // Long enough for the program to be the one it is going to be.
  await sleep(3000);
  child.kill('SIGHUP');
  const ended = await Promise.race([once(child, 'exit'), sleep(3000)]);
  child.kill('SIGKILL');
  return ended === undefined ? 'still there' : `ended by ${ended[1]}`;
}
const plain = await hangUpOn('sleep', '60');
const node = await hangUpOn(process.execPath, '-e', 'setTimeout(() => {}, 60000)');
console.log(`sleep under nohup: ${plain}; node under nohup: ${node}`);
process.exitCode = plain === 'still there' && node === 'ended by SIGHUP' ? 0 : 1;
JS
timeout 90 ./node_modules/.bin/node try.js
