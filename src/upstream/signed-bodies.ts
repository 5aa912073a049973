import type { Readable } from 'node:stream';
import { AppError } from '../kernel/app-error';
import { SignatureCheck } from './webhook-signature';

export interface SignedBodyLimits {
  /** Of one body. */
  readonly maxBytes: number;
  /** Of all bodies that are being received. */
  readonly maxBytesTogether: number;
  /** Within which a body must have arrived, in milliseconds. */
  readonly withinMs: number;
}

interface Receiving {
  bytes: number;
  readonly refuse: (error: AppError) => void;
}

/**
 * Receives bodies that are signed, such as those of webhooks.
 *
 * Its one invariant: what has not proved yet who sent it takes no more room and time than the limits say. Where they take too much
 * together, the largest makes room: deliveries are small, so that who fills the room is the first to go.
 */
export class SignedBodies {
  private readonly underWay = new Set<Receiving>();
  private bytesTogether = 0;

  constructor(
    private readonly secrets: readonly string[],
    private readonly limits: SignedBodyLimits,
  ) {}

  /**
   * All of a body that is signed as its field says. Of a body that is refused the rest is read and forgotten.
   *
   * @param declaredBytes the `Content-Length`, 0 if there is none
   * @throws AppError `webhook-unsigned`, `payload-too-large`, `request-timeout`, `overloaded`, `request-invalid`
   */
  async receive(stream: Readable, declaredBytes: number, field: string | undefined): Promise<Buffer> {
    const check = SignatureCheck.of(this.secrets, field);
    if (!check) throw unsigned(); // before anything is read
    const { maxBytes, withinMs } = this.limits;
    if (declaredBytes > maxBytes) throw tooLarge(maxBytes);
    return new Promise((resolve, reject) => {
      let chunks: Buffer[] = [];
      const receiving: Receiving = { bytes: 0, refuse: (error) => end(() => reject(error)) };
      const end = (tell: () => void): void => {
        if (!this.underWay.delete(receiving)) return;
        clearTimeout(timer);
        this.bytesTogether -= receiving.bytes;
        stream.off('data', take);
        stream.resume();
        tell();
        chunks = [];
      };
      const take = (chunk: Buffer): void => {
        chunks.push(chunk);
        check.add(chunk);
        receiving.bytes += chunk.length;
        this.bytesTogether += chunk.length;
        if (receiving.bytes > maxBytes) receiving.refuse(tooLarge(maxBytes));
        else this.makeRoom();
      };
      const timer = setTimeout(() => receiving.refuse(tooSlow(withinMs)), withinMs);
      this.underWay.add(receiving);
      stream.on('data', take);
      stream.once('end', () =>
        end(() => {
          if (check.isValid()) resolve(Buffer.concat(chunks, receiving.bytes));
          else reject(unsigned());
        }),
      );
      stream.once('error', (error) => receiving.refuse(brokenOff(error)));
      stream.once('close', () => receiving.refuse(brokenOff()));
    });
  }

  private makeRoom(): void {
    while (this.bytesTogether > this.limits.maxBytesTogether) {
      const [largest] = [...this.underWay].sort((a, b) => b.bytes - a.bytes);
      if (!largest) return;
      largest.refuse(new AppError('overloaded', 'Too many webhooks are being received. Redeliver it.'));
    }
  }
}

function unsigned(): AppError {
  const message = 'The delivery is not signed with a secret that this service was given (X-Hub-Signature-256).';
  return new AppError('webhook-unsigned', message);
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('payload-too-large', `The delivery is larger than ${maxBytes} bytes.`);
}

function tooSlow(withinMs: number): AppError {
  return new AppError('request-timeout', `The delivery has not arrived within ${withinMs} ms. Redeliver it.`);
}

function brokenOff(cause?: Error): AppError {
  return new AppError('request-invalid', 'The delivery broke off.', { cause });
}
