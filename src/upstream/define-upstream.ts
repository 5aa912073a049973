import { EnvironmentError } from '../config/env.schema';
import { registerProblems } from '../kernel/problem-table';
import { members } from './definition-schema';
import type { SettingsShape, UpstreamDefinition } from './upstream-definition';

/** A definition that cannot be mounted: one sentence that names the member, what is wrong, and an example. */
export class DefinitionError extends EnvironmentError {
  constructor(upstream: string, member: keyof UpstreamDefinition, issue: Issue) {
    const example = String(members[member].meta()?.['example']);
    const at = [member, ...issue.path.filter((step) => typeof step === 'string')].join('.');
    super(
      `The definition of the upstream "${upstream}" is wrong: ${at} ${problemIn(issue)}. Example: ${member}: ${example}`,
    );
    this.name = 'DefinitionError';
  }
}

/**
 * Checks a definition and registers its error codes.
 *
 * @throws DefinitionError
 */
export function defineUpstream<const S extends SettingsShape>(
  definition: UpstreamDefinition<S>,
): UpstreamDefinition<S> {
  const { name } = definition;
  const isKnown = (member: string): member is keyof UpstreamDefinition => Object.hasOwn(members, member);
  for (const [member, value] of Object.entries({ ...MISSING, ...definition })) {
    if (!isKnown(member))
      throw new EnvironmentError(
        `The definition of the upstream "${name}" is wrong: ${member} is no member. docs/reference/upstream-definition.md lists them. Example: ${Object.keys(members).join(', ')}`,
      );
    const isLeftOut = value === undefined && member !== 'name';
    const [issue] = isLeftOut ? [] : (members[member].safeParse(value).error?.issues ?? []);
    if (issue) throw new DefinitionError(name, member, issue);
  }
  registerProblems(definition.problems ?? {});
  return definition;
}

/** Required members, even if undefined: an empty text is not a name or a URL. */
const MISSING = { name: '', baseUrl: '' };

interface Issue {
  readonly message: string;
  readonly path: readonly PropertyKey[];
  /** For a key of a record: its problem. */
  readonly issues?: readonly { readonly message: string }[];
}

function problemIn({ message, issues }: Issue): string {
  return issues?.[0]?.message ?? message;
}
