import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../kernel/at-most';
import { parsedJson } from '../kernel/json';
import { ReplicaMessages } from '../cache';
import { onWorkerMessage, replicaName, sendToWorkers } from '../workers/worker-channel';
import { liveMessage, type LiveContent, type LiveMessage } from './live-message';

const MAX_PROCESSES = 1_000;

/**
 * Carries messages among all processes of the service: between replicas through Redis, between the workers of one replica through the
 * process that started them, so that a replica stays complete while Redis is down. A message that arrives on both ways is delivered once.
 * Messages may be lost.
 */
@Injectable()
export class LiveBus {
  /** The same for all workers of a replica. */
  readonly replica = replicaName();
  readonly process = `${this.replica}/${process.pid}/${randomBytes(6).toString('base64url')}`;
  private readonly listeners: ((message: LiveMessage) => void)[] = [];
  /** The number of the last message of each process: on each way they keep their order. */
  private readonly lastSequences = new LRUCache<string, number>(atMost(MAX_PROCESSES));
  private sent = 0;

  constructor(private readonly replicas: ReplicaMessages) {
    replicas.subscribe((text) => this.receive(text));
    onWorkerMessage((text) => this.receive(text));
  }

  publish(content: LiveContent): void {
    const text = JSON.stringify({ from: this.process, number: ++this.sent, ...content });
    sendToWorkers(text);
    void this.replicas.publish(text);
  }

  /** Messages of the other processes. */
  subscribe(listener: (message: LiveMessage) => void): void {
    this.listeners.push(listener);
  }

  private receive(text: string): void {
    const { data: message } = liveMessage.safeParse(parsedJson(text)); // another version may say what this one does not know
    if (!message || message.from === this.process || message.number <= (this.lastSequences.get(message.from) ?? 0))
      return;
    this.lastSequences.set(message.from, message.number);
    for (const listener of this.listeners) listener(message);
  }
}
