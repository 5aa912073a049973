import type { Readable } from 'node:stream';
import { AppError } from '../../kernel/app-error';
import { startDeadline } from '../../kernel/deadline';
import type { DeliveryField, WebhookVerifier } from './webhook-verifiers';

export interface SignedBodyLimits {
  /** The limit of one body. */
  readonly maxBytes: number;
  /** The limit of all bodies that are being received. */
  readonly maxBytesTogether: number;
  /** Within which a body must have arrived, in milliseconds. */
  readonly withinMs: number;
}

interface Receiving {
  bytes: number;
  readonly refuse: (error: AppError) => void;
}

/**
 * Receives signed bodies, such as those of webhooks.
 *
 * The invariant: an unverified body takes no more memory and time than the limits allow. If all bodies together take too much, the largest
 * is refused: deliveries are small, so that an attacker's is refused first.
 */
export class SignedBodies {
  private readonly underWay = new Set<Receiving>();
  private bytesTogether = 0;

  constructor(
    private readonly verifier: WebhookVerifier,
    private readonly secrets: readonly string[],
    private readonly limits: SignedBodyLimits,
    private readonly now: () => number,
  ) {}

  /**
   * All of a body that is proved as its fields say. For a body that is refused, the rest is read and forgotten.
   *
   * @param declaredBytes the `Content-Length`, 0 if there is none
   * @throws AppError `webhook-unsigned`, `payload-too-large`, `request-timeout`, `overloaded`, `request-invalid`
   */
  async receive(stream: Readable, declaredBytes: number, field: DeliveryField): Promise<Buffer> {
    const check = this.verifier.begin(this.secrets, field, this.now());
    if (!check) throw this.unsigned(field); // before anything is read
    const { maxBytes, withinMs } = this.limits;
    if (declaredBytes > maxBytes) throw tooLarge(maxBytes);
    return new Promise((resolve, reject) => {
      let chunks: Buffer[] = [];
      const receiving: Receiving = { bytes: 0, refuse: (error) => end(() => reject(error)) };
      const end = (settle: () => void): void => {
        if (!this.underWay.delete(receiving)) return;
        cancelDeadline();
        this.bytesTogether -= receiving.bytes;
        stream.off('data', take);
        stream.resume();
        settle();
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
      const cancelDeadline = startDeadline(withinMs, () => receiving.refuse(tooSlow(withinMs)));
      this.underWay.add(receiving);
      stream.on('data', take);
      stream.once('end', () =>
        end(() => {
          if (check.isValid()) resolve(Buffer.concat(chunks, receiving.bytes));
          else reject(mismatch(this.verifier.headers));
        }),
      );
      stream.once('error', (error) => receiving.refuse(brokenOff(error)));
      stream.once('close', () => receiving.refuse(brokenOff()));
    });
  }

  /** A wrong option of the verifier must not look like a wrong secret: names the fields that it did not find. */
  private unsigned(field: DeliveryField): AppError {
    const { headers, hasAlternatives = false } = this.verifier;
    const missing = headers.filter((name) => (field(name.toLowerCase()) ?? '') === '');
    const present = headers.filter((name) => !missing.includes(name));
    const names = missing.join(', ');
    if (missing.length > 0 && (present.length === 0 || !hasAlternatives))
      return new AppError(
        'webhook-unsigned',
        `The delivery is not signed. Header fields that are missing or empty${hasAlternatives ? ', of which some suffice' : ''}: ${names}.`,
      );
    return new AppError(
      'webhook-unsigned',
      'The signature or token is too old, has another form than expected, or does not match a configured secret ' +
        `(${present.join(', ')}).${names && ` Header fields that are missing or empty: ${names}.`}`,
    );
  }

  private makeRoom(): void {
    while (this.bytesTogether > this.limits.maxBytesTogether) {
      const [largest] = [...this.underWay].sort((a, b) => b.bytes - a.bytes);
      if (!largest) return;
      largest.refuse(new AppError('overloaded', 'Too many webhooks are being received. Redeliver it.'));
    }
  }
}

function mismatch(headers: readonly string[]): AppError {
  return new AppError(
    'webhook-unsigned',
    `The signature does not match the delivery with any configured secret (${headers.join(', ')}).`,
  );
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
