import { BoundedMap } from '../../../kernel/bounded-map';
import type { HeaderList } from '../../model/cache-entry';

/**
 * Header fields as they are kept in memory: the lines that the responses of an API have in common once for all of them, and the other
 * values of each as one text.
 *
 * Its one invariant: `unpackFields` returns what was packed, line by line.
 */

type Field = HeaderList[number];

/** For each line the field itself, or only the name of one whose value is among the response's own. */
type Shape = readonly (Field | string)[];

export interface PackedFields {
  readonly shape: Shape;
  /** Separated by line breaks; a list where one of them contains a line break. */
  readonly own: string | readonly string[];
}

interface KnownValue {
  readonly field: Field;
  readonly id: number;
  count: number;
}

/** The facts about a field: its name, and its latest values. */
interface KnownName {
  readonly name: string;
  readonly id: number;
  readonly values: KnownValue[];
}

/** The number of latest values known for one name. */
const VALUES_PER_NAME = 4;
/** A value is shared from so many responses on: earlier, the shape with it would cost more than it saves. */
const MIN_SHARING = 8;
/** Longer values are not shared. */
const MAX_SHARED_LENGTH = 1_024;
const ARRAY_BYTES = 48;
const REFERENCE_BYTES = 8;
const EMPTY: Shape = [];

/** The ids go on after it was emptied: a shape of before has other ones. */
const names = new BoundedMap<string, KnownName>(256);
const shapes = new BoundedMap<string, Shape>(512);
let lastId = 0;

/** The bytes of a string: V8 keeps a header and, for Latin-1, a byte for each character. */
export function textBytes(text: string): number {
  return 16 + ((text.length + 7) & ~7);
}

/** The packed fields, and the bytes that they take beyond what others have as well. */
export function packFields(fields: HeaderList): readonly [PackedFields, number] {
  if (fields.length === 0) return [{ shape: EMPTY, own: '' }, 0];
  const own: string[] = [];
  let path = '';
  const shape = fields.map(([name, value]): Field | string => {
    const known = names.getOrMake(name, newName);
    const shared = sharedValue(known, value);
    path += shared ? `${shared.id} ` : `${known.id} `;
    if (shared) return shared.field;
    own.push(value);
    return known.name;
  });
  const joined = own.some((value) => value.includes('\n')) ? own : own.join('\n');
  const ownBytes = typeof joined === 'string' ? textBytes(joined) : own.reduce((sum, one) => sum + textBytes(one), 48);
  const known = shapes.get(path);
  if (known) return [{ shape: known, own: joined }, ownBytes];
  shapes.set(path, shape);
  return [{ shape, own: joined }, ownBytes + ARRAY_BYTES + REFERENCE_BYTES * shape.length];
}

export function unpackFields(shape: Shape, own: PackedFields['own']): HeaderList {
  if (shape.length === 0) return [];
  const values = typeof own === 'string' ? own.split('\n') : own;
  let at = 0;
  return shape.map((one) => (typeof one === 'string' ? [one, values[at++] ?? ''] : one));
}

function newName(name: string): KnownName {
  return { name, id: ++lastId, values: [] };
}

/** The value as other responses have it; undefined while it is this one's own. One that repeats moves ahead of others that do not. */
function sharedValue({ name, values }: KnownName, value: string): KnownValue | undefined {
  if (value.length > MAX_SHARED_LENGTH) return undefined;
  const at = values.findIndex(({ field }) => field[1] === value);
  const found = values[at];
  if (!found) {
    values[Math.min(values.length, VALUES_PER_NAME - 1)] = { field: [name, value], id: ++lastId, count: 1 };
    return undefined;
  }
  const ahead = values[at - 1];
  if (ahead) [values[at - 1], values[at]] = [found, ahead];
  found.count += 1;
  return found.count >= MIN_SHARING ? found : undefined;
}
