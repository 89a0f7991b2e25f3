/** One device that asks every so often instead of listening: the baseline that streams are compared with. */

import { ResponseParser } from '#harness/engine/native/wire/response-parser.ts';
import type { ConnectionEvents, WireConnection } from '#harness/engine/native/wire/wire.ts';
import { retryAfterSeconds } from '#harness/target/retry-after.ts';
import { parsePollAnswer, pollPath } from '#harness/target/stream-contract.ts';
import type { ChangeFrame } from '#system/protocol/frames.ts';
import { closeWord, isOwnLimit, type Kit, type Member, note, noteTime, Person, type Standing } from './kit.ts';
import { retryDelayMs } from './reconnect.ts';
import type { StreamCountName } from './stream-recorder.ts';
import { tell } from './telling.ts';
import { newView, tellBookmark } from './view.ts';

const answerMsMax = 10_000;

class Line implements ConnectionEvents {
  readonly #poller: Poller;
  readonly parser = new ResponseParser();
  readonly wire: WireConnection;
  readonly address: number;
  isOpen = false;

  constructor(poller: Poller, kit: Kit, address: number) {
    this.#poller = poller;
    this.address = address;
    this.wire = (kit.wires[address] as Kit['wires'][number]).connect(this);
  }

  onOpen(): void {
    this.isOpen = true;
    if (this.#poller.line === this) this.#poller.ask(this);
  }

  onData(buffer: Buffer, start: number, end: number): void {
    if (this.#poller.line !== this) return;
    note(this.#poller, 'bytesIn', { atMs: this.#poller.kit.observe(), by: end - start });
    const progress = this.parser.push(buffer, start, end);
    if (progress === 'done') this.#poller.answered(this);
    else if (progress === 'broken') this.#poller.cut(this.parser.trouble);
  }

  onClose(code: string): void {
    if (this.#poller.line === this) this.#poller.cut(closeWord(code), isOwnLimit(code));
  }
}

export class Poller extends Person implements Member {
  line: Line | undefined = undefined;
  #state: 'idle' | 'asking' | 'resting' | 'waiting' = 'idle';
  #hasAnswer = false;
  #attempt = 0;
  #askedAtMs = 0;
  #nextAtMs = 0;

  standing(): Standing {
    if (this.#state === 'idle' || this.#state === 'waiting') return this.#state;
    return this.#hasAnswer ? 'live' : 'opening';
  }

  start(): void {
    if (this.#state !== 'idle') return;
    this.#nextAtMs = this.kit.nowMs();
    this.#poll();
  }

  stop(): void {
    if (this.#state === 'idle') return;
    if (this.#hasAnswer) note(this, 'closed', { atMs: this.kit.nowMs() });
    this.#state = 'idle';
    this.due(Number.POSITIVE_INFINITY);
    this.#hangUp();
  }

  attend(): void {
    if (this.#state === 'asking') return this.cut('no answer in time');
    this.#poll();
  }

  release(): void {}

  ask(line: Line): void {
    const { kit, plan, view } = this;
    const path = pollPath({ channel: plan.channels[0] as string, since: view.position === '' ? 'now' : view.position });
    const text = (kit.writers[line.address] as Kit['writers'][number])({ method: 'GET', path, headers: [`Authorization: ${this.authorization}`], body: '' });
    line.parser.reset();
    note(this, 'bytesOut', { atMs: kit.nowMs(), by: text.length });
    line.wire.write(text);
  }

  answered({ parser }: Line): void {
    const nowMs = this.kit.nowMs();
    if (!parser.keepAlive) this.#hangUp();
    if (parser.status !== 200) return this.#refused(parser);
    const answer = parsePollAnswer(parser.body);
    if (answer === undefined) return this.cut('an answer that is not understood');
    if (!this.#hasAnswer) {
      this.#hasAnswer = true;
      note(this, 'opened', { atMs: nowMs });
      noteTime(this.kit, 'hello', this.kit.recorder.keyAt(this.#askedAtMs, this.reader), { ms: nowMs - this.#askedAtMs, sinceMs: this.#askedAtMs });
    }
    this.#attempt = 0;
    for (const change of answer.changes) tell(this, change as ChangeFrame, nowMs);
    tellBookmark(this.view, answer.cursor);
    if (this.view.from === '') this.view.from = answer.cursor;
    if (!answer.isUpToDate) return this.#poll();
    this.#state = 'resting';
    this.#nextAtMs = Math.max(this.#nextAtMs + this.#everyMs(), nowMs);
    this.due(this.#nextAtMs);
  }

  /** A kept connection that ends between two questions is no loss. */
  cut(reason: string, isOwn = false): void {
    if (this.#state === 'resting') return this.#hangUp();
    this.#waitFor('failed', isOwn ? `generator out of means: ${reason}` : reason, 0);
  }

  #refused(parser: ResponseParser): void {
    const { status } = parser;
    if (status === 410) {
      note(this, 'resynced', { atMs: this.kit.nowMs() });
      Object.assign(this.view, newView());
    }
    const isShed = status === 429 || status === 503;
    this.#waitFor(isShed ? 'refused' : 'failed', `status ${status}`, isShed ? (retryAfterSeconds((name) => parser.header(name)) ?? 0) * 1000 : 0);
  }

  #waitFor(how: Extract<StreamCountName, 'refused' | 'failed'>, reason: string, minimumMs: number): void {
    const { kit } = this;
    const nowMs = kit.nowMs();
    note(this, how, { atMs: nowMs, sinceMs: this.#askedAtMs });
    kit.recorder.at(kit.recorder.keyAt(nowMs, this.reader)).reason(reason);
    this.#hangUp();
    this.#state = 'waiting';
    this.due(nowMs + retryDelayMs(this.plan.reconnect, { attempt: this.#attempt++, chance: kit.chance(), minimumMs }));
  }

  #poll(): void {
    const { kit } = this;
    this.#state = 'asking';
    this.#askedAtMs = kit.nowMs();
    note(this, 'dialled', { atMs: this.#askedAtMs });
    this.due(this.#askedAtMs + answerMsMax);
    if (this.line?.isOpen === true) this.ask(this.line);
    else this.line ??= new Line(this, kit, this.index % kit.wires.length);
  }

  #everyMs(): number {
    return this.plan.way.kind === 'poll' ? this.plan.way.everyMs : 0;
  }

  #hangUp(): void {
    const { line } = this;
    this.line = undefined;
    line?.wire.close();
  }
}
