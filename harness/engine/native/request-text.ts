// An operation's request as the bytes that go over the wire.
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { OperationRequest } from '#harness/target/operation.ts';

/** Host as the authority form wants it: without the scheme's own port, IPv6 in brackets. */
function hostHeader({ host, port, tls }: EngineTarget): string {
  const name = tls?.serverName ?? host;
  const bracketed = name.includes(':') ? `[${name}]` : name;
  return port === (tls === undefined ? 80 : 443) ? bracketed : `${bracketed}:${port}`;
}

/** `close`: one request a connection. In bodies a character is a byte. */
export function createRequestWriter(target: EngineTarget, close: boolean): (request: OperationRequest) => string {
  const fixed = ` HTTP/1.1\r\nHost: ${hostHeader(target)}\r\n${close ? 'Connection: close\r\n' : ''}`;
  return (request) => {
    const { method, headers, body } = request;
    let text = `${method} ${target.pathPrefix}${request.path}${fixed}`;
    for (let i = 0; i < headers.length; i++) text += `${headers[i]}\r\n`;
    if (body !== '' || method === 'POST' || method === 'PUT') text += `Content-Length: ${body.length}\r\n`;
    return `${text}\r\n${body}`;
  };
}
