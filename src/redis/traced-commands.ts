import { inSpan, type Span, type Tracer } from '../kernel/tracer';
import type { CommandArguments, RedisLink } from './redis-link';

/** Adds client spans to a link's commands, by their names alone: no key and no value. */
export function addCommandSpans(link: RedisLink, tracer: Tracer): void {
  const [send, sendTo] = [link.send.bind(link), link.sendTo.bind(link)];
  const spanOf = ([command = '']: CommandArguments): Span | undefined => {
    const name = command.toString();
    return tracer.start(name, 'client', { 'db.system.name': 'redis', 'db.operation.name': name });
  };
  link.send = (key, args) => inSpan(spanOf(args), () => send(key, args));
  link.sendTo = (node, args) => inSpan(spanOf(args), () => sendTo(node, args));
}
