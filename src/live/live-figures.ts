import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../kernel/clock';
import { FiguresHistory, type StoredFigures } from './figures-history';
import { LiveBus } from './live-bus';
import { LiveEvents } from './live-events';
import type { LiveEventName, LiveMessage } from './live-message';
import { ProcessSampler } from './process-sampler';
import { Watch } from './watch';

const SECOND_MS = 1_000;
/** How long after the end of a second its sample is taken: every counter has reported by then. */
const TAKE_AFTER_MS = 20;
/** How often is looked whether a second can be closed. */
const LOOK_MS = 50;

export interface LiveListener {
  /** Seconds that were closed, oldest first. */
  readonly onFigures: (figures: readonly StoredFigures[]) => void;
  readonly onEvent: (event: LiveEventName, data: string) => void;
}

/**
 * The live figures of all replicas and workers: each process counts for itself and publishes a sample once a second, and each gathers the
 * same picture.
 *
 * Its one invariant: without a viewer on any replica nothing is counted, sent or kept. Without Redis, or while it is down, the picture
 * covers this replica.
 */
@Injectable()
export class LiveFigures implements OnModuleInit, BeforeApplicationShutdown {
  private readonly watch = new Watch();
  private readonly history = new FiguresHistory();
  private readonly listeners = new Set<LiveListener>();
  private timer: NodeJS.Timeout | undefined;
  private nextSecond = 0;
  private isStopped = false;

  constructor(
    private readonly bus: LiveBus,
    private readonly sampler: ProcessSampler,
    private readonly events: LiveEvents,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.bus.subscribe((message) => this.receive(message));
  }

  beforeApplicationShutdown(): void {
    this.isStopped = true;
    this.pause();
  }

  /** @returns ends it */
  subscribe(listener: LiveListener, isAdmin: boolean): () => void {
    this.listeners.add(listener);
    this.watch.enter(isAdmin);
    this.publishLease();
    this.goOn();
    return () => {
      if (this.listeners.delete(listener)) this.watch.leave(isAdmin, performance.now());
    };
  }

  /** The figures after an id; undefined if that is unknown here. */
  since(id: number): readonly StoredFigures[] | undefined {
    return this.history.since(id, this.clock.now());
  }

  all(): readonly StoredFigures[] {
    return this.history.all(this.clock.now());
  }

  private goOn(): void {
    if (this.isStopped || !this.watch.isOn(performance.now())) return;
    this.startEvents();
    if (this.timer) return;
    this.sampler.start();
    this.nextSecond = Math.floor(this.clock.now() / SECOND_MS) * SECOND_MS + SECOND_MS;
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  private pause(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.sampler.stop();
    this.events.stop();
    this.history.pause();
  }

  private look(): void {
    const now = this.clock.now();
    // A clock that was set back, or far ahead: go on from where it is.
    if (Math.abs(now - this.nextSecond) > 60_000) this.nextSecond = Math.floor(now / SECOND_MS) * SECOND_MS;
    if (now >= this.nextSecond + TAKE_AFTER_MS) {
      this.takeSample(now);
      if (!this.watch.isOn(performance.now())) {
        this.pause();
        return;
      }
      if (this.watch.wantsEvents(performance.now())) this.startEvents();
      else this.events.stop();
      this.publishLease();
    }
    const figures = this.history.close(now);
    if (figures.length > 0) for (const { onFigures } of this.listeners) onFigures(figures);
  }

  /** For the second that ended last: it includes everything that a suspended process has counted since. */
  private takeSample(now: number): void {
    const second = Math.floor((now - TAKE_AFTER_MS) / SECOND_MS) * SECOND_MS - SECOND_MS;
    this.nextSecond = second + 2 * SECOND_MS;
    const sample = this.sampler.take(this.bus.replica, second);
    this.history.add(this.bus.process, sample, now);
    this.bus.publish({ kind: 'sample', sample });
  }

  private publishLease(): void {
    const lease = this.watch.lease(performance.now());
    if (lease) this.bus.publish({ kind: 'watch', ...lease });
  }

  private startEvents(): void {
    if (!this.watch.wantsEvents(performance.now())) return;
    this.events.start((event, data) => {
      const withReplica = { ...data, replica: this.bus.replica };
      this.deliver(event, withReplica);
      this.bus.publish({ kind: 'event', event, data: withReplica });
    });
  }

  private receive(message: LiveMessage): void {
    if (this.isStopped) return;
    if (message.kind === 'watch') {
      this.watch.extend(message.forMs, message.wantsEvents, performance.now());
      this.goOn();
    } else if (!this.timer) return;
    else if (message.kind === 'sample') this.history.add(message.from, message.sample, this.clock.now());
    else this.deliver(message.event, message.data);
  }

  private deliver(event: LiveEventName, data: Readonly<Record<string, unknown>>): void {
    if (this.listeners.size === 0) return;
    const text = JSON.stringify(data);
    for (const { onEvent } of this.listeners) onEvent(event, text);
  }
}
