import { Readable } from 'node:stream';
import { ScriptedOrigin } from '../support/scripted-origin';
import { waitUntil } from '../support/wait-until';
import { closeAgents, openAgents } from '../../src/upstream/sockets';
import { UpstreamRelay } from '../../src/upstream/upstream-relay';

const BODY_BYTES = 12_000_000;
const TIMEOUT_MS = 1_000;

describe('a relayed response', () => {
  let origin: ScriptedOrigin;
  const agents = openAgents(10_000);

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
  });
  afterAll(async () => {
    closeAgents(agents);
    await origin.stop();
  });

  const send = async (timeoutMs = TIMEOUT_MS, upload?: Readable) => {
    const limits = { connectTimeoutMs: 10_000, timeoutMs, maxResponseBytes: 1, breakerFailures: 1, breakerPauseMs: 1 };
    const relay = new UpstreamRelay({ name: 'api', baseUrl: origin.url, headers: {}, limits }, agents, () =>
      Date.now(),
    );
    const request = { method: 'GET', path: '/', headers: ['host', 'api'], signal: new AbortController().signal };
    if (!upload) return (await relay.send(request)).body;
    return (await relay.send({ ...request, method: 'POST', body: upload })).body;
  };

  // The timer for a silent API is due in the very turn in which the reader has taken all there was: nothing is missing.
  it('is whole where its reader pauses for just as long as the API may be silent', async () => {
    origin.answerBy((response) => response.end(Buffer.alloc(BODY_BYTES)));
    const body = await send();
    let received = 0;
    await waitUntil(() => body.readableLength >= body.readableHighWaterMark, { what: 'a full buffer' });
    await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS * 0.9));
    await new Promise(setImmediate); // the timers come next, before anything is received
    received += (body.read() as Buffer).length;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TIMEOUT_MS * 0.2);
    for await (const chunk of body as AsyncIterable<Buffer>) received += chunk.length;
    expect(received).toBe(BODY_BYTES);
  });

  it('is whole where the process stood still before it had sent the request', async () => {
    origin.answerBy((response) => {
      response.writeHead(200).flushHeaders();
      setTimeout(() => response.end('all'), 200);
    });
    const sent = send(400);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900);
    let received = '';
    for await (const chunk of (await sent) as AsyncIterable<Buffer>) received += chunk.toString();
    expect(received).toBe('all');
  });

  it.each([
    ['upstream-timeout', 'the API does not take its body', 20_000_000],
    ['request-timeout', 'the client does not send the rest of its body', 10],
  ])('fails with %s where %s', async (code, _what, bytes) => {
    origin.answerBy(() => undefined, { waitsForBody: false });
    const upload = new Readable({ read: () => undefined });
    upload.push(Buffer.alloc(bytes));
    await expect(send(200, upload)).rejects.toMatchObject({ code });
  });

  it.each([
    ['nothing', 0],
    ['less than it may', 1_000],
  ])('breaks off where %s comes any more', async (_what, bytes) => {
    origin.answerBy((response) => {
      response.writeHead(200).write(Buffer.alloc(100_000));
      const timer = setInterval(() => response.write(Buffer.alloc(bytes)), 50);
      response.on('close', () => clearInterval(timer));
    });
    const body = await send(400);
    const reading = (async () => {
      for await (const chunk of body as AsyncIterable<Buffer>) expect(chunk.length).toBeGreaterThan(0);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'upstream-timeout' });
    await waitUntil(() => origin.aborted === 1, { what: 'the end of the exchange' });
  });
});
