import { AppError } from '../kernel/app-error';

/** The parameters of a path by their names, decoded. */
export type PathValues = Readonly<Record<string, unknown>>;

/** A parameter in a path: `:account`. */
const PARAMETER = /:([A-Za-z_]\w*)/g;

/**
 * A path with percent-encoded values in place of its parameters: `/users/:account`.
 *
 * @throws AppError `request-invalid` for a value that would lead to another path
 */
export function filledPath(path: string, values: PathValues): string {
  return path.replace(PARAMETER, (_whole, parameter: string) => encoded(parameter, values[parameter]));
}

function encoded(name: string, value: unknown): string {
  const text = Number.isFinite(value) ? String(value) : value;
  if (typeof text !== 'string' || text === '' || text === '.' || text === '..' || /\p{Surrogate}/u.test(text))
    throw new AppError(
      'request-invalid',
      `The parameter "${name}" must be one well-formed text that is neither empty nor a dot segment.`,
    );
  return encodeURIComponent(text).replaceAll('%40', '@'); // callers leave it plain in scopes and accounts
}
