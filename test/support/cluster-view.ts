export const SLOT_COUNT = 16_384;

/** One line of CLUSTER NODES: what one node believes of another. */
export interface ClusterMember {
  id: string;
  port: number;
  isPrimary: boolean;
  isFailing: boolean;
  /** Met, but not yet known by its own id. */
  isMeeting: boolean;
  /** The slots it serves, as inclusive ranges. */
  slots: readonly (readonly [from: number, to: number])[];
}

/** Reads the answer to CLUSTER NODES, see https://redis.io/docs/latest/commands/cluster-nodes/. */
export function parseClusterNodes(text: string): ClusterMember[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseLine);
}

export function ownerOf(slot: number, view: readonly ClusterMember[]): ClusterMember | undefined {
  return view.find(({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to));
}

function parseLine(line: string): ClusterMember {
  const [id = '', address = '', flags = '', , , , , , ...slots] = line.trim().split(' ');
  const words = flags.split(',');
  return {
    id,
    port: Number(/:(\d+)@/.exec(address)?.[1]),
    isPrimary: words.includes('master'),
    isFailing: words.includes('fail') || words.includes('fail?'),
    isMeeting: words.includes('handshake'),
    // A slot on its way is written [slot->-node]: its owner is still the one who lists it without brackets.
    slots: slots.filter((slot) => !slot.startsWith('[')).map(parseRange),
  };
}

function parseRange(text: string): readonly [number, number] {
  const [from = '', to = from] = text.split('-');
  return [Number(from), Number(to)];
}
