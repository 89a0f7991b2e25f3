/**
 * One process's share of the listeners: how many there are, who is due, what they saw. Clock, wires and turns come from outside, so a process runs it in real time
 * and simulation in virtual time.
 */
import { Stops } from '#harness/engine/native/stops.ts';
import type { Wire } from '#harness/engine/native/wire/wire.ts';
import { nobodyHeld } from '#harness/metrics/fold-streams.ts';
import { createRandom } from '#harness/pacing/random.ts';
import type { Acknowledgements, StreamCell, WorkerLag } from '#harness/run-result.ts';
import { parseDeviceName } from '#harness/target/item-laws.ts';
import type { Frame } from '#system/protocol/frames.ts';
import { limits } from '#system/protocol/limits.ts';
import { compareMembers } from './compare.ts';
import type { Kit, Member, MemberStart, ReaderPlan } from './kit.ts';
import { LagBook, type LagSample } from './lag-book.ts';
import { Listener } from './listener.ts';
import type { Comparison, FromHolder, HolderInput, PhaseStart, UserLog } from './messages.ts';
import { heartbeatMsDefault } from './plan.ts';
import { Poller } from './poller.ts';
import { type PopulationCurve, restingPopulation, shareOf, wantedAt } from './population.ts';
import { referenceLaw } from './reconnect.ts';
import { StreamRecorder } from './stream-recorder.ts';

export type HolderOptions = {
  readonly input: HolderInput;
  /** As the input's targets. */
  readonly wires: readonly Wire[];
  readonly writers: Kit['writers'];
  readonly nowMs: () => number;
  /** At least this often `turn` is called, or the generator stood still. */
  readonly sleepMaxMs: number;
  readonly spoiledAboveMs: number;
  readonly takeLag: () => Pick<WorkerLag, 'gcMsTotal' | 'gcMsMax' | 'utilisation'>;
  readonly say: (message: FromHolder) => void;
};

/** A dial costs about 0.1 ms: a herd that is due at once must not keep the loop from what comes in. */
const attendedAtOnceMax = 32;

/** Those of one reader: the first `active` of them are there. One is made when it is first needed, and keeps its view when it goes. */
type Crowd = {
  readonly plan: ReaderPlan;
  readonly reader: number;
  readonly firstPlace: number;
  readonly members: Member[];
  active: number;
  curve: PopulationCurve;
};

type Held = StreamCell['held'];

function standingsOf(members: readonly Member[]): Held {
  const held = { ...nobodyHeld };
  for (const member of members) {
    const standing = member.standing();
    if (standing !== 'idle') held[standing]++;
  }
  return held;
}

const addStandings = (a: Held, b: Held): Held => ({ live: a.live + b.live, opening: a.opening + b.opening, waiting: a.waiting + b.waiting });

const watcherName = 'presence-watcher';

/** An account's own stream of its devices' presence: counted as no reader of the scenario. */
const watcherPlan = (scale: number): ReaderPlan => ({
  name: watcherName,
  channels: ['devices'],
  // Behind a balancer whose clock is faster it has to beat faster too.
  way: { kind: 'stream', as: 'ndjson', heartbeatMs: Math.max(limits.heartbeatMsMin, Math.round(heartbeatMsDefault / scale)) },
  pace: { kind: 'normal' },
  reconnect: referenceLaw,
  count: 0,
});

export class Holder {
  readonly #options: HolderOptions;
  readonly #stops: Stops;
  readonly #kit: Kit;
  readonly #crowds: readonly Crowd[];
  readonly #watchers: readonly Member[];
  /** By their place: one that was not needed yet is missing. */
  readonly #members: (Member | undefined)[];
  #second: number;
  #firstPlace = 0;

  constructor(options: HolderOptions) {
    const { input, nowMs } = options;
    this.#options = options;
    this.#stops = new Stops({ spoiledAboveMs: options.spoiledAboveMs, sleepMaxMs: options.sleepMaxMs, nowMs: nowMs() });
    const plans = input.watchers.length === 0 ? input.readers : [...input.readers, watcherPlan(input.scale)];
    const places = plans.reduce((sum, { count }) => sum + shareOf(count, input.process, input.processes), input.watchers.length);
    this.#kit = this.#kitOf(plans, places);
    let place = 0;
    this.#crowds = input.readers.map((plan, reader) => {
      const firstPlace = place;
      place += shareOf(plan.count, input.process, input.processes);
      return { plan, reader, firstPlace, members: [], active: 0, curve: restingPopulation };
    });
    this.#watchers = input.watchers.map((authorization, index) => {
      const start = {
        kit: this.#kit,
        place: place++,
        reader: input.readers.length,
        plan: watcherPlan(input.scale),
        index,
        user: -1,
        device: undefined,
        authorization,
      };
      return new Listener(start);
    });
    this.#members = new Array<Member | undefined>(places).fill(undefined);
    for (const watcher of this.#watchers) this.#members[watcher.place] = watcher;
    this.#second = Math.floor(nowMs() / 1000);
  }

  phase({ phase, startMs, population }: PhaseStart): void {
    this.#kit.recorder.announce(phase, startMs);
    for (const watcher of this.#watchers) watcher.start();
    for (const { reader, target, perSecond } of population) {
      const crowd = this.#crowds[reader] as Crowd;
      crowd.curve = { startMs, from: wantedAt(crowd.curve, startMs), target, perSecond };
    }
  }

  acknowledged({ keys, atMs }: Acknowledgements): void {
    for (const [i, key] of keys.entries()) this.#kit.lags.acknowledged(key, atMs[i] as number);
  }

  /** To be called every few milliseconds, and again at once where it says that there is more: sockets have their turn in between. */
  turn(): boolean {
    const nowMs = this.#options.nowMs();
    this.#stops.observe(nowMs);
    let left = attendedAtOnceMax;
    for (const crowd of this.#crowds) left = this.#move(crowd, nowMs, left);
    left = this.#attend(nowMs, left);
    if (nowMs >= (this.#second + 1) * 1000) this.handOver(nowMs);
    return left === 0;
  }

  /** From where the last turn had to stop, so that nobody waits behind the same others twice. */
  #attend(nowMs: number, atMost: number): number {
    const { dueMs } = this.#kit;
    let left = atMost;
    for (let i = 0; i < dueMs.length && left > 0; i++) {
      const place = (this.#firstPlace + i) % dueMs.length;
      if ((dueMs[place] as number) > nowMs) continue;
      this.#members[place]?.attend(nowMs);
      if (--left === 0) this.#firstPlace = (place + 1) % dueMs.length;
    }
    return left;
  }

  handOver(nowMs = this.#options.nowMs()): void {
    const { input, say, takeLag } = this.#options;
    const standings = this.#crowds.map(({ members }) => standingsOf(members));
    for (const [reader, held] of standings.entries()) this.#noteHeld(reader, held);
    const lag = { worker: input.process, second: this.#second, ...this.#stops.takeLag(), ...takeLag() };
    // What watches presence is the harness's own.
    const cells = this.#kit.recorder.take().filter(({ reader }) => reader !== watcherName);
    say({ kind: 'delta', delta: { cells, lag }, now: { wanted: this.#wanted(), ...standings.reduce(addStandings, nobodyHeld) } });
    this.#second = Math.floor(nowMs / 1000);
  }

  #wanted(): number {
    const { process, processes } = this.#options.input;
    return this.#crowds.reduce((sum, { curve }) => sum + shareOf(curve.target, process, processes), 0);
  }

  release(): void {
    for (const member of this.#members) member?.release();
  }

  /** Waits until everybody who listens has what the log has, or for so long. */
  compare(logs: readonly UserLog[], withinMs: number, pause: () => Promise<void>): Promise<Comparison> {
    const { nowMs } = this.#options;
    const endMs = nowMs() + withinMs;
    return compareMembers({ members: this.#crowds.flatMap(({ members }) => members), logs, isOver: () => nowMs() >= endMs, pause });
  }

  stop(): void {
    for (const member of this.#members) member?.stop();
  }

  #kitOf(plans: readonly ReaderPlan[], places: number): Kit {
    const { input, wires, writers, nowMs, say } = this.#options;
    const recorder = new StreamRecorder(plans.map(({ name }) => name));
    return {
      run: input.run,
      population: input.population,
      wires,
      writers,
      nowMs,
      chance: createRandom(input.seed, input.process),
      stops: this.#stops,
      observe: () => {
        const atMs = nowMs();
        this.#stops.observe(atMs);
        return atMs;
      },
      recorder,
      lags: new LagBook((sample) => this.#noteLag(sample)),
      dueMs: new Float64Array(places).fill(Number.POSITIVE_INFINITY),
      scale: input.scale,
      onSilenced: input.reportsSilenced ? (device, closed) => say({ kind: 'silenced', device, ...closed }) : undefined,
      onState: (frame, atMs) => this.#tellPresence(frame, atMs),
    };
  }

  /** The next of a crowd, made where it was never there before. */
  #memberAt({ plan, reader, firstPlace, members }: Crowd, at: number): Member {
    const present = members[at];
    if (present !== undefined) return present;
    const { population, credential, authorizations, process, processes } = this.#options.input;
    const place = firstPlace + at;
    const index = at * processes + process;
    const user = index % population.users;
    const device = credential === 'device' ? index % population.devices : undefined;
    const start: MemberStart = { kit: this.#kit, place, reader, plan, index, user, device, authorization: authorizations[device ?? user] as string };
    const made = plan.way.kind === 'poll' ? new Poller(start) : new Listener(start);
    members[at] = made;
    this.#members[place] = made;
    return made;
  }

  #move(crowd: Crowd, nowMs: number, atMost: number): number {
    const { process, processes } = this.#options.input;
    const wanted = shareOf(wantedAt(crowd.curve, nowMs), process, processes);
    let left = atMost;
    for (; crowd.active < wanted && left > 0; left--) this.#memberAt(crowd, crowd.active++).start();
    for (; crowd.active > wanted && left > 0; left--) this.#memberAt(crowd, --crowd.active).stop();
    return left;
  }

  #noteHeld(reader: number, held: Held): void {
    const { recorder } = this.#kit;
    recorder.at(recorder.keyAt((this.#second + 1) * 1000 - 1, reader)).held = held;
  }

  #noteLag({ ackedAtMs, lagMs, frameAtMs, reader }: LagSample): void {
    const { recorder } = this.#kit;
    recorder.at(recorder.keyAt(ackedAtMs, reader)).time('delivery_lag', lagMs, this.#stops.touched(Math.min(ackedAtMs, frameAtMs)));
  }

  #tellPresence(frame: Frame, atMs: number): void {
    if (frame.t !== 'put') return;
    const device = parseDeviceName(this.#options.input.run, frame.k);
    const { presence } = frame.d as { readonly presence?: unknown };
    if (device !== undefined) this.#options.say({ kind: 'presence', device, online: presence === 'online', atMs });
  }
}
