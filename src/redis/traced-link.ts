import type { Tracer } from '../kernel/tracer';
import { inSpan } from '../kernel/tracer';
import type { NodeAddress } from './redis-endpoint';
import { RedisLink, type CommandArguments, type RedisReply } from './redis-link';

/** A link whose commands are client spans, by their names alone: no key and no value. */
export class TracedLink extends RedisLink {
  constructor(
    private readonly link: RedisLink,
    private readonly tracer: Tracer,
  ) {
    super();
  }

  get isUp(): boolean {
    return this.link.isUp;
  }

  get isCluster(): boolean {
    return this.link.isCluster;
  }

  get problem(): string | undefined {
    return this.link.problem;
  }

  primaries(): readonly NodeAddress[] {
    return this.link.primaries();
  }

  send(key: string, args: CommandArguments): Promise<RedisReply> {
    return inSpan(this.spanOf(args), () => this.link.send(key, args));
  }

  sendTo(node: NodeAddress, args: CommandArguments): Promise<RedisReply> {
    return inSpan(this.spanOf(args), () => this.link.sendTo(node, args));
  }

  onTransition(listener: (isUp: boolean) => void): void {
    this.link.onTransition(listener);
  }

  close(): Promise<void> {
    return this.link.close();
  }

  private spanOf([command = '']: CommandArguments) {
    const name = command.toString();
    return this.tracer.start(name, 'client', { 'db.system.name': 'redis', 'db.operation.name': name });
  }
}
