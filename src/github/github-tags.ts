/** The tags of what GitHub has under a path: the account and the repository it speaks of, whose names know no case. */
export function githubTags(path: string): readonly string[] {
  const [kind, first, second] = path.toLowerCase().split('/').slice(1);
  if (first === undefined || first === '') return [];
  if (kind === 'users' || kind === 'orgs') return [`account:${first}`];
  if (kind !== 'repos' || second === undefined || second === '') return [];
  return [`account:${first}`, `repo:${first}/${second}`];
}
