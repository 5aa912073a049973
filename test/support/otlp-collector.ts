import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A span as it arrived. Ids are in hex; a parent of a root is empty. */
export interface ReceivedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links: readonly { readonly traceId: string; readonly id: string }[];
}

export interface ReceivedMetric {
  readonly resource: Readonly<Record<string, string | number | boolean>>;
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly kind: 'gauge' | 'sum' | 'histogram';
  /** 2 cumulative */
  readonly temporality: number;
  readonly isMonotonic: boolean;
  readonly points: readonly ReceivedPoint[];
}

/** A value: of a histogram its sum. */
export interface ReceivedPoint {
  readonly startedAt: number;
  readonly at: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly value: number;
  readonly count: number;
  readonly bounds: readonly number[];
  readonly bucketCounts: readonly number[];
}

type Field = readonly [number: number, value: Buffer | number];

/** A collector that takes OTLP over HTTP in protobuf (opentelemetry-proto, `collector/trace/v1` and `collector/metrics/v1`). */
export class OtlpCollector {
  readonly spans: ReceivedSpan[] = [];
  /** Each export's metrics. */
  readonly exports: ReceivedMetric[][] = [];
  readonly received: { readonly headers: IncomingHttpHeaders; readonly body: Buffer }[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OtlpCollector> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const sent = Buffer.concat(chunks);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
        collector.received.push({ headers: request.headers, body });
        if (request.url === '/v1/metrics') collector.exports.push(metricsIn(body));
        else collector.spans.push(...spansIn(body));
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      });
    });
    const collector = new OtlpCollector(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

function spansIn(body: Buffer): ReceivedSpan[] {
  return all(fieldsOf(body), 1).flatMap((resourceSpans) => {
    const fields = fieldsOf(resourceSpans);
    const resource = attributesOf(all(fieldsOf(all(fields, 1)[0] ?? Buffer.alloc(0)), 1));
    const spans = all(fields, 2).flatMap((scopeSpans) => all(fieldsOf(scopeSpans), 2));
    return spans.map((span) => spanOf(fieldsOf(span), String(resource['service.name'])));
  });
}

function metricsIn(body: Buffer): ReceivedMetric[] {
  return all(fieldsOf(body), 1).flatMap((resourceMetrics) => {
    const fields = fieldsOf(resourceMetrics);
    const resource = attributesOf(all(fieldsOf(all(fields, 1)[0] ?? Buffer.alloc(0)), 1));
    const metrics = all(fields, 2).flatMap((scopeMetrics) => all(fieldsOf(scopeMetrics), 2));
    return metrics.map((metric) => metricOf(fieldsOf(metric), resource));
  });
}

const KINDS = { gauge: 5, sum: 7, histogram: 9 } as const;

function metricOf(fields: readonly Field[], resource: ReceivedMetric['resource']): ReceivedMetric {
  const text = (number: number): string => (all(fields, number)[0] ?? '').toString();
  const kind = (['gauge', 'sum', 'histogram'] as const).find((one) => all(fields, KINDS[one]).length > 0)!;
  const data = fieldsOf(all(fields, KINDS[kind])[0]!);
  const number = (of: number): number => Number(data.find(([one]) => one === of)?.[1] ?? 0);
  return {
    ...{ resource, name: text(1), description: text(2), unit: text(3), kind },
    ...{ temporality: number(2), isMonotonic: number(3) === 1 },
    points: all(data, 1).map((point) => pointOf(fieldsOf(point), kind === 'histogram')),
  };
}

function pointOf(fields: readonly Field[], isHistogram: boolean): ReceivedPoint {
  const words = (number: number): Buffer[] =>
    all(fields, number).flatMap((packed) =>
      Array.from({ length: packed.length / 8 }, (_word, at) => packed.subarray(at * 8, at * 8 + 8)),
    );
  const millis = (number: number): number => Number(words(number)[0]!.readBigUInt64LE()) / 1e6;
  return {
    ...{ startedAt: millis(2), at: millis(3), attributes: attributesOf(all(fields, isHistogram ? 9 : 7)) },
    value: words(isHistogram ? 5 : 4)[0]!.readDoubleLE(),
    count: isHistogram ? Number(words(4)[0]!.readBigUInt64LE()) : 1,
    bounds: isHistogram ? words(7).map((word) => word.readDoubleLE()) : [],
    bucketCounts: isHistogram ? words(6).map((word) => Number(word.readBigUInt64LE())) : [],
  };
}

function spanOf(fields: readonly Field[], service: string): ReceivedSpan {
  const bytes = (number: number): Buffer => all(fields, number)[0] ?? Buffer.alloc(0);
  return {
    service,
    traceId: bytes(1).toString('hex'),
    id: bytes(2).toString('hex'),
    parentId: bytes(4).toString('hex'),
    name: bytes(5).toString(),
    kind: Number(fields.find(([number]) => number === 6)?.[1]),
    attributes: attributesOf(all(fields, 9)),
    links: all(fields, 13).map((link) => {
      const [traceId, id] = [all(fieldsOf(link), 1)[0]!, all(fieldsOf(link), 2)[0]!];
      return { traceId: traceId.toString('hex'), id: id.toString('hex') };
    }),
  };
}

function attributesOf(pairs: readonly Buffer[]): Record<string, string | number | boolean> {
  const entries = pairs.map((pair) => {
    const fields = fieldsOf(pair);
    const [[kind, value] = [0, 0]] = fieldsOf(all(fields, 2)[0] ?? Buffer.alloc(0));
    return [all(fields, 1)[0]!.toString(), kind === 2 ? value === 1 : kind === 3 ? Number(value) : value.toString()];
  });
  return Object.fromEntries(entries) as Record<string, string | number | boolean>;
}

function all(fields: readonly Field[], number: number): Buffer[] {
  return fields.flatMap(([one, value]) => (one === number && Buffer.isBuffer(value) ? [value] : []));
}

/** The fields of a message (https://protobuf.dev/programming-guides/encoding/). */
function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const [number, type] = [tag >>> 3, tag & 7];
    if (type === 0) fields.push([number, varint()]);
    else {
      const length = type === 2 ? varint() : type === 1 ? 8 : 4;
      fields.push([number, message.subarray(at, at + length)]);
      at += length;
    }
  }
  return fields;
}
