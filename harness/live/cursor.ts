/** The terminal's cursor, hidden while the view is redrawn and given back whatever ends the process but a kill. */
const hideCode = '\u001b[?25l';
const showCode = '\u001b[?25h';

export type Cursor = { readonly hide: () => void; readonly show: () => void };

/** By hand, since the drawing library hides standard error's cursor whichever stream it draws on, and listens to signals for it. */
export function cursorOf(stream: NodeJS.WritableStream): Cursor {
  let hidden = false;
  const show = (): void => {
    if (!hidden) return;
    hidden = false;
    process.off('exit', show);
    stream.write(showCode);
  };
  const hide = (): void => {
    if (hidden) return;
    hidden = true;
    process.once('exit', show);
    stream.write(hideCode);
  };
  return { hide, show };
}
