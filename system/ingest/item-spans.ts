/** Where the events of a batch stand in its body. For a body that JSON.parse has taken, and found a batch in. Pure. */
import { memberSpan, partSpans, type Span, skipBlanks } from '#system/protocol/json-spans.ts';

const arrayOpen = 0x5b;

/** Of the items of the array that the body is, or of the one that its object calls `events`. */
export function itemSpans(body: Uint8Array): readonly Span[] {
  const start = skipBlanks(body, 0);
  if (body[start] === arrayOpen) return partSpans(body, start);
  const events = memberSpan(body, 'events');
  return events === undefined ? [] : partSpans(body, events.start);
}
