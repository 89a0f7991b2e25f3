/** R33: a stream and the token that opened it. */
import { secretAuthorization } from '#harness/topology/provision.ts';
import { openStream, type StreamReader } from '#harness/topology/stream-reader.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { arrived, deletionKnownMs, eventually, newUser } from './user.ts';

export const streamToken: Rule = {
  id: 'R33',
  title: 'a stream ends with its token: bye token within a second, and bye kick once its device is deleted',
  proves: [
    "A stream does not outlive the token that opened it: it ends with bye token within a second of the token's end, and not before.",
    'Heartbeats say how many seconds the token has left.',
    'The stream of a device that is deleted ends with bye kick, at another node after the position check at the latest.',
  ],
  how: [
    "A user's token for three seconds opens a stream with a heartbeat of a second.",
    "The bye has to come after the token's exp and within the bound, and each heartbeat has to say from 0 to 3 seconds.",
    'A device opens a stream of itself, another one does too, and the first is deleted: its stream has to end so, and the other one to stay.',
  ],
  redBy: ['keeps-expired', 'forgets-deletions'],
  needs: [],
  check: async ({ client, account, name, holdTime }) => {
    const user = await newUser(client, account, name('user'), { expiresIn: 3 });
    const { exp } = JSON.parse(Buffer.from(user.authorization.split('.')[1] as string, 'base64url').toString()) as { exp: number };
    const reader = await user.listen('ch=sync:trips&hb=1000');
    await eventually('bye', () => reader.frames.at(-1)?.t === 'bye');
    const lateMs = Date.now() - exp * 1000;
    hold(reader.frames.at(-1)?.code === 'token', 'bye token', reader.frames.at(-1));
    hold(lateMs >= 0, 'no bye before the token’s end', lateMs);
    holdTime({ what: 'bye after the token’s end', tookMs: lateMs, statedMs: 1000 });
    hold(
      reader.frames.filter(({ t }) => t === 'hb').every(({ exp: left }) => Number(left) >= 0 && Number(left) <= 3),
      'heartbeats that say how long the token lives',
      reader.frames,
    );
    await kicked({ client, account, name });
  },
};

/** Of two devices, one is deleted. */
async function kicked({ client, account, name }: Pick<RuleContext, 'client' | 'account' | 'name'>): Promise<void> {
  const readers: StreamReader[] = [];
  const open = async (device: string): Promise<StreamReader> => {
    const reader = openStream({ url: `${client.base()}/v1/stream?ch=device:${device}&hb=1000`, authorization: await client.device(account, device) });
    readers.push(reader);
    await arrived(reader, 'sync');
    return reader;
  };
  try {
    const [gone, kept] = [await open(name('kicked')), await open(name('kept'))];
    const deletion = await client.call('DELETE', `/v1/devices/${name('kicked')}`, { headers: { authorization: secretAuthorization(account) } });
    hold(deletion.status === 204, '204 for the deletion', `${deletion.status} ${deletion.text}`);
    await eventually('bye kick', () => gone.frames.at(-1)?.code === 'kick', deletionKnownMs);
    const beats = kept.frames.filter(({ t }) => t === 'hb').length;
    await arrived(kept, 'hb', beats + 1);
    hold(kept.state() === 'open' && kept.frames.every(({ t }) => t !== 'bye'), 'the stream of the other device open', kept.frames);
  } finally {
    for (const reader of readers) reader.close();
  }
}
