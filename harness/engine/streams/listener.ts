/** One device that listens: it dials, catches up, loses its stream, waits by the reference client's law, and comes back with its cursor. */

import type { ConnectionEvents, Wire, WireConnection } from '#harness/engine/native/wire/wire.ts';
import { retryAfterSeconds } from '#harness/target/retry-after.ts';
import { type StreamForm, streamForms } from '#harness/target/stream-formats.ts';
import type { Frame } from '#system/protocol/frames.ts';
import { type FrameEvents, FrameReader } from './frame-reader.ts';
import { closeWord, isOwnLimit, type Kit, type Member, type MemberStart, note, noteTime, Person, type Standing } from './kit.ts';
import { healthyAfterMs, lateAfterMs, missedAfterMs, retryDelayMs, silenceMsMax } from './reconnect.ts';
import type { CellKey, StreamCountName } from './stream-recorder.ts';
import { tell } from './telling.ts';
import { newView, tellBookmark } from './view.ts';

/** From the dial to hello; the service promises 100 ms, and a herd has to queue. */
const helloMsMax = 10_000;
/** A reader that is slower than what comes is not woken for less. */
const napMsMin = 20;

type State = 'idle' | 'opening' | 'replaying' | 'live' | 'waiting';

/** One connection of a listener: what comes of an older one is nobody's. */
class Held implements ConnectionEvents, FrameEvents {
  readonly #listener: Listener;
  readonly #frames = new FrameReader();
  readonly #stamps: boolean;
  readonly wire: WireConnection;
  readonly address: number;

  constructor(listener: Listener, wire: Wire, address: number) {
    this.#listener = listener;
    this.#stamps = wire.stampsArrivals;
    this.address = address;
    this.wire = wire.connect(this);
  }

  get #isCurrent(): boolean {
    return this.#listener.held === this;
  }

  onOpen(): void {
    this.#listener.kit.observe();
    if (this.#isCurrent) this.#listener.ask(this);
  }

  onData(buffer: Buffer, start: number, end: number, readableSinceMs: number): void {
    if (!this.#isCurrent) return;
    this.#listener.readBytes(end - start, this.#stamps ? readableSinceMs : undefined);
    this.#frames.push(buffer, start, end, this);
    if (this.#isCurrent) this.#listener.rest(end - start);
  }

  onClose(code: string): void {
    this.#listener.kit.observe();
    if (this.#isCurrent) this.#listener.cut(code);
  }

  onHead(head: string): boolean {
    return this.#isCurrent && this.#listener.readHead(head);
  }

  onLine(line: string): void {
    if (this.#isCurrent) this.#listener.readLine(line);
  }

  onEnd(): void {
    if (this.#isCurrent) this.#listener.cut('closed');
  }

  onTrouble(what: string): void {
    if (this.#isCurrent) this.#listener.cut(`malformed: ${what}`);
  }
}

const headerOf = (head: string, name: string): string | undefined => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*\\r?$`, 'im').exec(head)?.[1];

export class Listener extends Person implements Member {
  held: Held | undefined = undefined;
  #state: State = 'idle';
  #heartbeatMs: number;
  #dials = 0;
  #attempt = 0;
  #dialledAtMs = 0;
  #helloAtMs = 0;
  #lastFrameAtMs = 0;
  /** Of the bytes that are being read. */
  #arrivedAtMs = 0;
  /** When it was lost, while it is not back; −1: it is not away. */
  #awaySinceMs = -1;
  #awayKey: CellKey | undefined = undefined;
  #retryMinimumMs = 0;
  #isPaused = false;
  #readableAtMs = 0;
  #isReleased = false;

  constructor(start: MemberStart) {
    super(start);
    this.#heartbeatMs = start.plan.way.kind === 'stream' ? start.plan.way.heartbeatMs : 0;
  }

  standing(): Standing {
    return this.#state === 'replaying' ? 'opening' : this.#state;
  }

  start(): void {
    if (this.#state === 'idle') this.#dial();
  }

  /** The population shrank. */
  stop(): void {
    if (this.#state === 'idle') return;
    const nowMs = this.kit.nowMs();
    if (this.#awayKey !== undefined) this.kit.recorder.at(this.#awayKey).count('abandoned', 1, false);
    else if (this.#state === 'live') {
      note(this, 'closed', { atMs: nowMs });
      if (this.device !== undefined && this.kit.onSilenced !== undefined) {
        note(this, 'silenced', { atMs: nowMs });
        this.kit.onSilenced(this.device, { atMs: nowMs, reader: this.reader });
      }
    }
    this.#awaySinceMs = -1;
    this.#awayKey = undefined;
    this.#state = 'idle';
    this.due(Number.POSITIVE_INFINITY);
    this.#hangUp();
  }

  attend(nowMs: number): void {
    if (this.#state === 'waiting') return this.#dial();
    if (this.#isPaused) return this.#readAgain(nowMs);
    if (this.#state === 'opening') return this.#end('failed', 'no hello in time');
    const silentAtMs = this.#lastFrameAtMs + silenceMsMax(this.#heartbeatMs);
    if (nowMs < silentAtMs) return this.due(silentAtMs);
    this.#end('lost', 'silent');
  }

  release(): void {
    const nowMs = this.kit.nowMs();
    this.#isReleased = true;
    if (this.#isPaused) this.#readAgain(nowMs);
    // A silence that no frame has ended is one all the same.
    else if (this.#state === 'live') this.#noteSilence(nowMs);
  }

  // ---- what its connection says

  ask(held: Held): void {
    const { kit, plan, view } = this;
    const asked = { channels: plan.channels, since: view.position === '' ? 'now' : view.position, heartbeatMs: this.#askedHeartbeatMs() };
    const text = (kit.writers[held.address] as Kit['writers'][number])(this.#form().request(asked, this.authorization));
    note(this, 'bytesOut', { atMs: kit.nowMs(), by: text.length });
    held.wire.write(text);
  }

  /** `arrivedAtMs`: where the kernel says when it had them. Who reads slowly on purpose gets them when it reads. */
  readBytes(count: number, arrivedAtMs: number | undefined): void {
    const nowMs = this.kit.observe();
    this.#arrivedAtMs = arrivedAtMs === undefined || this.plan.pace.kind !== 'normal' ? nowMs : Math.max(arrivedAtMs, this.#lastFrameAtMs, this.#dialledAtMs);
    note(this, 'bytesIn', { atMs: nowMs, by: count });
  }

  /** False: it is no stream. */
  readHead(head: string): boolean {
    const status = Number(head.slice(9, 12));
    if (status === 200) return true;
    this.#retryMinimumMs = (retryAfterSeconds((name) => headerOf(head, name)) ?? 0) * 1000;
    if (status === 410) this.#beginAnew();
    this.#end(status === 429 || status === 503 ? 'refused' : 'failed', `status ${status}`);
    return false;
  }

  readLine(line: string): void {
    const frame = this.#form().frameOf(line);
    if (frame === 'nothing') return;
    if (frame === undefined) return this.cut('malformed: a line that is no frame');
    const atMs = this.#arrivedAtMs;
    if (this.#state === 'live') this.#noteGap(atMs);
    this.#lastFrameAtMs = atMs;
    note(this, 'frames', { atMs });
    this.#take(frame, atMs);
  }

  cut(code: string): void {
    if (this.#state === 'opening' && isOwnLimit(code)) return this.#end('failed', `generator out of means: ${code}`);
    if (this.#state === 'opening') return this.#end('failed', `connect ${closeWord(code)}`);
    this.#end('lost', `cut ${closeWord(code)}`);
  }

  /** Slow readers take their time after what they read; who stopped takes forever. */
  rest(bytes: number): void {
    const { pace } = this.plan;
    if (pace.kind === 'normal' || this.#isReleased || this.#state !== 'live' || this.held === undefined) return;
    if (pace.kind === 'slow') {
      const nowMs = this.kit.nowMs();
      this.#readableAtMs = Math.max(this.#readableAtMs, nowMs) + (bytes * 1000) / pace.bytesPerSecond;
      if (this.#readableAtMs - nowMs < napMsMin) return;
    } else this.#readableAtMs = Number.POSITIVE_INFINITY;
    this.#isPaused = true;
    this.held.wire.pause();
    this.due(this.#readableAtMs);
  }

  // ---- frames

  #take(frame: Frame, nowMs: number): void {
    switch (frame.t) {
      case 'hello':
        return this.#welcome(frame, nowMs);
      case 'put':
      case 'del':
        return this.user < 0 ? this.kit.onState(frame, nowMs) : tell(this, frame as Extract<Frame, { t: 'del' }>, nowMs);
      case 'sync':
        return this.#caughtUp(frame.c ?? '', nowMs);
      case 'hb':
        note(this, 'heartbeats', { atMs: nowMs });
        return tellBookmark(this.view, frame.c ?? '');
      case 'reset':
        return this.#beginAnew();
      case 'bye':
        this.#retryMinimumMs = frame.retry_ms;
        return this.#end('byes', `bye ${frame.code}`);
    }
  }

  #welcome(hello: Extract<Frame, { t: 'hello' }>, nowMs: number): void {
    this.#state = 'replaying';
    this.#helloAtMs = nowMs;
    // A service that promises less than was asked for is held to what was asked for.
    this.#heartbeatMs = Math.min(this.#askedHeartbeatMs(), hello.hb);
    note(this, 'opened', { atMs: nowMs });
    if (hello.resumed) note(this, 'resumed', { atMs: nowMs });
    const { view } = this;
    if (view.from === '') {
      view.from = hello.from ?? '';
      tellBookmark(view, view.from);
    }
    noteTime(this.kit, 'hello', this.kit.recorder.keyAt(this.#dialledAtMs, this.reader), { ms: nowMs - this.#dialledAtMs, sinceMs: this.#dialledAtMs });
    this.due(nowMs + silenceMsMax(this.#heartbeatMs));
  }

  #caughtUp(cursor: string, nowMs: number): void {
    this.#state = 'live';
    if (this.view.from === '') this.view.from = cursor;
    tellBookmark(this.view, cursor);
    if (this.#awayKey === undefined) return;
    noteTime(this.kit, 'resume', this.#awayKey, { ms: nowMs - this.#awaySinceMs, sinceMs: this.#awaySinceMs });
    this.#awaySinceMs = -1;
    this.#awayKey = undefined;
  }

  /** What was seen of a log that is another one now says nothing of what has to come. */
  #beginAnew(): void {
    note(this, 'resynced', { atMs: this.kit.nowMs() });
    Object.assign(this.view, newView());
  }

  #noteGap(nowMs: number): void {
    if (this.plan.pace.kind !== 'normal') return;
    const sinceMs = this.#lastFrameAtMs;
    const gapMs = nowMs - sinceMs;
    noteTime(this.kit, 'frame_gap', this.kit.recorder.keyAt(nowMs, this.reader), { ms: gapMs * this.kit.scale, sinceMs });
    if (gapMs > lateAfterMs(this.#heartbeatMs)) note(this, 'heartbeatsLate', { atMs: nowMs, sinceMs });
    this.#noteSilence(nowMs);
  }

  #noteSilence(nowMs: number): void {
    const sinceMs = this.#lastFrameAtMs;
    if (this.plan.pace.kind !== 'normal' || nowMs - sinceMs <= missedAfterMs(this.#heartbeatMs)) return;
    note(this, 'heartbeatsMissed', { atMs: nowMs, sinceMs });
  }

  // ---- coming and going

  #dial(): void {
    const { kit } = this;
    this.#state = 'opening';
    this.#isPaused = false;
    this.#readableAtMs = 0;
    this.#retryMinimumMs = 0;
    this.#dialledAtMs = kit.nowMs();
    note(this, 'dialled', { atMs: this.#dialledAtMs });
    const address = (this.index + this.#dials++) % kit.wires.length;
    this.due(this.#dialledAtMs + helloMsMax);
    this.held = new Held(this, kit.wires[address] as Wire, address);
  }

  /** Over, for whatever reason, and back again after a while. */
  #end(how: Extract<StreamCountName, 'lost' | 'byes' | 'refused' | 'failed'>, reason: string): void {
    const { kit, reader, plan } = this;
    const nowMs = kit.nowMs();
    const key = kit.recorder.keyAt(nowMs, reader);
    const wasHeld = this.#state === 'live' || this.#state === 'replaying';
    const record = kit.recorder.at(key);
    record.reason(reason);
    const counted = wasHeld && this.#awayKey !== undefined ? 'relapsed' : how;
    record.count(counted, 1, kit.stops.touched(wasHeld ? this.#lastFrameAtMs : this.#dialledAtMs));
    if (wasHeld) this.#leave(key, nowMs);
    if (this.#state === 'live' && nowMs - this.#helloAtMs >= healthyAfterMs) this.#attempt = 0;
    const delayMs = retryDelayMs(plan.reconnect, { attempt: this.#attempt++, chance: kit.chance(), minimumMs: this.#retryMinimumMs });
    this.#state = 'waiting';
    this.due(nowMs + delayMs);
    this.#hangUp();
  }

  #leave(key: CellKey, nowMs: number): void {
    const { kit } = this;
    if (this.#state === 'live') this.#noteSilence(nowMs);
    noteTime(kit, 'lifetime', key, { ms: (nowMs - this.#helloAtMs) * kit.scale, sinceMs: this.#helloAtMs });
    if (this.#awayKey !== undefined) return;
    this.#awayKey = key;
    this.#awaySinceMs = nowMs;
  }

  #readAgain(nowMs: number): void {
    this.#isPaused = false;
    this.#lastFrameAtMs = nowMs;
    this.due(nowMs + silenceMsMax(this.#heartbeatMs));
    this.held?.wire.resume();
  }

  #hangUp(): void {
    const { held } = this;
    this.held = undefined;
    held?.wire.close();
  }

  #form(): StreamForm {
    return streamForms[this.plan.way.kind === 'stream' ? this.plan.way.as : 'ndjson'];
  }

  #askedHeartbeatMs(): number {
    return this.plan.way.kind === 'stream' ? this.plan.way.heartbeatMs : 0;
  }
}
