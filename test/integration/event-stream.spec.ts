import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { EventStream, eventText } from '../../src/live/event-stream';
import { waitUntil } from '../support/wait-until';

const LINE = eventText('outcome', JSON.stringify({ key: 'x'.repeat(1_000) }));

describe('a stream of events', () => {
  let server: Server;
  let socket: Socket;
  let stream: EventStream;
  let waiting: () => number;

  beforeEach(async () => {
    const opened = new Promise<void>((resolve) => {
      server = createServer((_request, response) => {
        response.writeHead(200).flushHeaders();
        stream = new EventStream(response);
        waiting = () => response.writableLength;
        resolve();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await opened;
  });
  afterEach(async () => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  it('cuts a reader off that takes nothing, before more than 256 KiB wait for it', async () => {
    socket.pause();
    let most = 0;
    for (let sent = 0; stream.isOpen && sent < 100_000; sent++) {
      stream.send(LINE);
      most = Math.max(most, waiting());
      if (sent % 100 === 0) await new Promise(setImmediate);
    }
    expect(stream.isOpen).toBe(false);
    expect(most).toBeLessThanOrEqual(262_144 + LINE.length);
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
  });

  it('sends a long history as its reader takes it, and never all of it at once', async () => {
    const pieces = 20_000;
    let most = 0;
    let received = 0;
    const reading = setInterval(() => {
      most = Math.max(most, waiting());
      received += (socket.read() as Buffer | null)?.length ?? 0;
    }, 1);
    await stream.sendPieces(Array.from({ length: pieces }, () => LINE));
    await waitUntil(() => received >= pieces * LINE.length, { what: 'all of it' });
    clearInterval(reading);
    expect(most).toBeLessThan(262_144);
    expect(stream.isOpen).toBe(true);
  });

  it('ends a history whose reader has gone', async () => {
    socket.pause();
    const sending = stream.sendPieces(Array.from({ length: 50_000 }, () => LINE));
    socket.destroy();
    await sending;
    expect(stream.isOpen).toBe(false);
  });

  it('sends a reader that keeps up the reason of its end', async () => {
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    stream.send(LINE);
    await waitUntil(() => text.includes('outcome'), { what: 'the event' });
    stream.end('shutdown');
    await waitUntil(() => text.includes('event: end\ndata: {"reason":"shutdown"}\n\n'), { what: 'the reason' });
    stream.send(LINE);
    expect(stream.isOpen).toBe(false);
  });
});
