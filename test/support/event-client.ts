import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { waitUntil } from './wait-until';

export interface ServerEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** A client of server-sent events on a connection of its own, which keeps all that it got. */
export class EventClient {
  readonly events: ServerEvent[] = [];
  readonly comments: string[] = [];
  private buffer = '';
  private isClosed = false;

  private constructor(
    readonly status: number,
    readonly headers: IncomingMessage['headers'],
    private readonly sent: ClientRequest,
    private readonly response: IncomingMessage,
  ) {
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.read(text));
    response.on('close', () => (this.isClosed = true));
    response.on('error', () => undefined); // the end is told by 'close'
  }

  /** Resolves when the head has come, whatever its status. */
  static open(url: string, headers: Record<string, string> = {}): Promise<EventClient> {
    return new Promise((resolve, reject) => {
      const sent = request(url, { agent: new Agent({ keepAlive: false }), headers }, (response) =>
        resolve(new EventClient(response.statusCode ?? 0, response.headers, sent, response)),
      );
      sent.on('error', reject).end();
    });
  }

  get hasEnded(): boolean {
    return this.isClosed;
  }

  of(event: string): ServerEvent[] {
    return this.events.filter((one) => one.event === event);
  }

  /** What came after the first `from` events, as soon as it suffices. */
  async until(what: string, isEnough: (client: this) => boolean): Promise<void> {
    await waitUntil(() => isEnough(this), { what: `${what} in ${this.events.length} events`, pollMs: 20 });
  }

  close(): void {
    this.sent.destroy();
    this.response.destroy();
  }

  private read(text: string): void {
    this.buffer += text;
    const blocks = this.buffer.split('\n\n');
    this.buffer = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n');
      const valueOf = (name: string): string | undefined =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = valueOf('data');
      if (data === undefined) this.comments.push(block);
      else
        this.events.push({
          event: valueOf('event') ?? 'message',
          id: valueOf('id'),
          data: JSON.parse(data) as Record<string, unknown>,
        });
    }
  }
}
