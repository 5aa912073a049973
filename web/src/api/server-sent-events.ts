/** Reads `text/event-stream` (HTML Standard §9.2.6) from pieces that may end anywhere, within a line break or a character too. */

export interface ServerSentEvent {
  readonly type: string;
  readonly data: string;
  /** The id that a reconnecting client sends as `Last-Event-ID`. */
  readonly lastEventId: string;
}

export class EventParser {
  private readonly decoder = new TextDecoder();
  private rest = '';
  private type = '';
  private data: string[] = [];
  private id: string | undefined;

  constructor(
    private lastEventId: string,
    private readonly onEvent: (event: ServerSentEvent) => void,
    private readonly onRetry: (ms: number) => void,
  ) {}

  push(chunk: Uint8Array): void {
    this.rest += this.decoder.decode(chunk, { stream: true });
    for (;;) {
      const [end, next] = lineEnd(this.rest);
      if (end === -1) return;
      this.line(this.rest.slice(0, end));
      this.rest = this.rest.slice(next);
    }
  }

  private line(line: string): void {
    if (line === '') {
      this.dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment: the heartbeat
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.type = value;
    else if (name === 'data') this.data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.onRetry(Number(value));
  }

  private dispatch(): void {
    if (this.id !== undefined) this.lastEventId = this.id;
    if (this.data.length > 0)
      this.onEvent({ type: this.type || 'message', data: this.data.join('\n'), lastEventId: this.lastEventId });
    this.type = '';
    this.data = [];
    this.id = undefined;
  }
}

/** Where the first line ends and where the next begins; a CR at the very end may be half of a CRLF: wait for more. */
function lineEnd(text: string): readonly [end: number, next: number] {
  const end = text.search(/[\r\n]/);
  if (end === -1 || (text[end] === '\r' && end === text.length - 1)) return [-1, -1];
  return [end, text[end] === '\r' && text[end + 1] === '\n' ? end + 2 : end + 1];
}
