import fastify, { type FastifyInstance } from 'fastify';
import { schemaCompilers } from './schema-compilers';

describe('JSON schemas of routes', () => {
  let app: FastifyInstance;

  beforeAll(async () => {
    app = fastify({ schemaController: { compilersFactory: schemaCompilers } });
    const headers = {
      type: 'object',
      properties: { 'X-Count': { type: 'integer', enum: [1, 2] }, 'X-Other': { type: 'string', const: 'A' } },
      required: ['X-Count'],
      anyOf: [
        { type: 'object', required: ['X-One'] },
        { type: 'object', required: ['X-Other'] },
      ],
      dependencies: { 'X-One': ['X-With-One'] },
    };
    const querystring = { type: 'object', properties: { Page: { type: 'integer' } }, required: ['Page'] };
    const response = { 200: { type: 'object', properties: { shown: { type: 'string' } } } };
    app.get('/headers', { schema: { headers } }, (request) => ({ count: request.headers['x-count'] }));
    app.get('/query', { schema: { querystring } }, ({ query }) => query);
    app.get('/response', { schema: { response } }, () => ({ shown: 'yes', hidden: 'no' }));
    await app.ready();
  });
  afterAll(() => app.close());

  const statusWith = async (headers: Record<string, string>) =>
    (await app.inject({ url: '/headers', headers })).statusCode;

  it('hold for header fields in any case, at any depth', async () => {
    expect(await statusWith({ 'x-count': '2', 'x-other': 'A' })).toBe(200);
    expect(await statusWith({ 'x-other': 'A' })).toBe(400);
    expect(await statusWith({ 'x-count': '3', 'x-other': 'A' })).toBe(400);
    expect(await statusWith({ 'x-count': '2' })).toBe(400);
    expect(await statusWith({ 'x-count': '2', 'x-other': 'a' })).toBe(400);
    expect(await statusWith({ 'x-count': '2', 'x-one': '1' })).toBe(400);
    expect(await statusWith({ 'x-count': '2', 'x-one': '1', 'x-with-one': '1' })).toBe(200);
  });

  it('keep the case of query parameters, and convert values', async () => {
    expect((await app.inject('/query?Page=2')).json()).toEqual({ Page: 2 });
    expect((await app.inject('/query?page=2')).statusCode).toBe(400);
  });

  it('decide the members of responses', async () => {
    expect((await app.inject('/response')).json()).toEqual({ shown: 'yes' });
  });
});
