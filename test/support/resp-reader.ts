/** An error reply; inside an array (EXEC) it is a value like others. */
export class RespError extends Error {}

export type RespValue = string | number | boolean | null | RespError | RespValue[] | Map<string, RespValue>;

export interface RespReply {
  value: RespValue;
  /** A RESP3 push, which answers no command. */
  isPush: boolean;
}

interface Parsed {
  value: RespValue;
  next: number;
}

/** Cuts a stream of bytes into RESP2 and RESP3 replies. Bulk strings are read as UTF-8. */
export class RespReader {
  private chunks: Buffer[] = [];
  private size = 0;
  /** No reply can be complete before this many bytes are there: spares a large bulk string from being copied again and again. */
  private needed = 0;

  push(chunk: Buffer): RespReply[] {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size < this.needed) return [];
    const bytes = Buffer.concat(this.chunks);
    this.needed = 0;
    const replies: RespReply[] = [];
    let at = 0;
    for (;;) {
      const parsed = this.parse(bytes, at);
      if (parsed === undefined) break;
      replies.push({ value: parsed.value, isPush: bytes[at] === 0x3e });
      at = parsed.next;
    }
    this.chunks = [bytes.subarray(at)];
    this.size = bytes.length - at;
    this.needed = Math.max(0, this.needed - at);
    return replies;
  }

  private parse(bytes: Buffer, at: number): Parsed | undefined {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const type = String.fromCharCode(bytes[at]!);
    const line = bytes.toString('utf8', at + 1, lineEnd);
    const next = lineEnd + 2;
    switch (type) {
      case '+':
      case '(':
        return { value: line, next };
      case '-':
        return { value: new RespError(line), next };
      case ':':
      case ',':
        return { value: numberOf(line), next };
      case '#':
        return { value: line === 't', next };
      case '_':
        return { value: null, next };
      case '$':
      case '=':
      case '!':
        return this.parseBulk(bytes, type, Number(line), next);
      case '*':
      case '~':
      case '>':
        return Number(line) < 0 ? { value: null, next } : this.parseList(bytes, Number(line), next);
      case '%':
        return this.parseMap(bytes, Number(line), next);
      default:
        throw new Error(`Not a RESP reply: ${JSON.stringify(type + line.slice(0, 60))}`);
    }
  }

  private parseBulk(bytes: Buffer, type: string, length: number, at: number): Parsed | undefined {
    if (length < 0) return { value: null, next: at };
    const next = at + length + 2;
    if (bytes.length < next) {
      this.needed = next;
      return undefined;
    }
    const text = bytes.toString('utf8', at, at + length);
    if (type === '!') return { value: new RespError(text), next };
    return { value: type === '=' ? text.slice('txt:'.length) : text, next };
  }

  private parseList(bytes: Buffer, count: number, at: number): { value: RespValue[]; next: number } | undefined {
    const value: RespValue[] = [];
    let next = at;
    while (value.length < count) {
      const item = this.parse(bytes, next);
      if (item === undefined) return undefined;
      value.push(item.value);
      next = item.next;
    }
    return { value, next };
  }

  private parseMap(bytes: Buffer, pairs: number, at: number): Parsed | undefined {
    const list = this.parseList(bytes, pairs * 2, at);
    if (list === undefined) return undefined;
    const value = new Map<string, RespValue>();
    for (let index = 0; index < list.value.length; index += 2) {
      value.set(textOf(list.value[index]!), list.value[index + 1]!);
    }
    return { value, next: list.next };
  }
}

/** The value as `redis-cli --raw` prints it, one item a line, but nil as "(nil)", to be told from an empty string. */
export function textOf(value: RespValue): string {
  if (value === null) return '(nil)';
  if (value instanceof RespError) return value.message;
  if (value instanceof Map) return [...value].flatMap(([key, item]) => [key, textOf(item)]).join('\n');
  return Array.isArray(value) ? value.map(textOf).join('\n') : String(value);
}

function numberOf(line: string): number {
  return line === 'inf' ? Infinity : line === '-inf' ? -Infinity : Number(line);
}
