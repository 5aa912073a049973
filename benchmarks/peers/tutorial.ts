import { createClient } from 'redis';
import { heldBytes } from './heap';
import { loadPeer } from './load-peer';
import { payloadOf } from './payload';
import { fetchUser } from './upstream';

/*
 * The way of the tutorials: Express, `GET` before, `SETEX` after, JSON in between.
 */

interface Request {
  readonly params: Readonly<Record<string, string>>;
}

interface Response {
  status(code: number): Response;
  json(body: unknown): void;
}

interface Express {
  get(path: string, handler: (request: Request, response: Response) => Promise<void> | void): void;
  listen(port: number, host: string): void;
}

async function boot(): Promise<void> {
  const redis = createClient({ url: process.env['REDIS_URL'] ?? '' });
  redis.on('error', (error: Error) => process.stderr.write(`${error.message}\n`));
  await redis.connect();
  const app = loadPeer<() => Express>('express')();
  const ttlSeconds = Math.max(1, Math.round(Number(process.env['TTL_MS'] ?? 3_600_000) / 1_000));

  const cached = (prefix: string, load: (name: string) => unknown) => async (request: Request, response: Response) => {
    const name = request.params['name'] ?? '';
    const key = `${prefix}:${name}`;
    try {
      const found = await redis.get(key);
      if (found !== null) {
        response.json(JSON.parse(found));
        return;
      }
      const data = await load(name);
      await redis.setEx(key, ttlSeconds, JSON.stringify(data));
      response.json(data);
    } catch {
      response.status(500).json({ error: 'something went wrong' });
    }
  };

  app.get(
    '/payload/:name',
    cached('payload', (bytes) => payloadOf(Number(bytes))),
  );
  app.get('/users/:name', cached('users', fetchUser));
  app.get('/heap', (_, response) => response.json({ bytes: heldBytes() }));
  app.listen(Number(process.env['PORT']), '127.0.0.1');
}

void boot();
