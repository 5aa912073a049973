import {
  installationRepositoriesChanged,
  organizationChanged,
  packageChanged,
  projectChanged,
  propertyChanged,
  renamedOrGone,
  teamChanged,
  teamMemberChanged,
  wholeInstallationChanged,
} from './account-effects';
import { accountTag, ADVISORIES, enterpriseTag, repositoryTag } from './github-tags';
import { ownedBy } from './github-writes';
import { CHANGES, type RepositoryArea } from './repository-areas';
import {
  collaboratorChanged,
  forked,
  issueMoved,
  refChanged,
  relatedIssues,
  repositoryChanged,
  securityChanged,
  starred,
} from './repository-effects';
import {
  all,
  changeOf,
  everythingOfOrganizations,
  listsOf,
  settingsChanged,
  viewerTags,
  type Effect,
  type Subject,
} from './webhook-effects';
import { namesAt, textAt } from './webhook-payload';

/**
 * The changes of GitHub's events, as tags, by name and by id (https://docs.github.com/en/webhooks/webhook-events-and-payloads).
 *
 * The invariant: every event of GitHub's description has a row here: its changes, or in `CHANGES_NOTHING` the reason why nothing stored
 * changes. `github-own-events.spec.ts` checks it, with the description and with GitHub's own example payloads.
 */

/** Events after which nothing stored is another: nothing that GitHub's REST API shows has changed. */
export const CHANGES_NOTHING: Readonly<Record<string, string>> = {
  ping: 'says that the webhook is there',
  discussion: 'discussions are in GraphQL only',
  discussion_comment: 'discussions are in GraphQL only',
  sponsorship: 'sponsorships are in GraphQL only',
  project: 'classic projects have left the REST API',
  project_card: 'classic projects have left the REST API',
  project_column: 'classic projects have left the REST API',
};

/** The areas that a commit's checks change: a pull request shows them as its `mergeable_state`. */
const CHECKS: readonly RepositoryArea[] = [...CHANGES.runs, 'pulls'];

/** Lists of the caller that show what its token may see. */
const CALLERS_OWN = [
  ...['profile', 'installations', 'repos', 'orgs', 'memberships', 'teams', 'issues', 'notifications', 'starred'],
  ...['subscriptions', 'emails', 'keys', 'followers', 'following', 'gists', 'packages', 'repository_invitations'],
];

const EFFECTS: Readonly<Record<string, Effect>> = {
  ...forEvents(Object.keys(CHANGES_NOTHING), () => []),
  ...forEvents(['push', 'create', 'delete'], refChanged),
  ...forEvents(['commit_comment', 'gollum'], changeOf(['code', 'self'])),
  // The rules of a branch decide the `mergeable_state` of its pull requests.
  ...forEvents(['branch_protection_rule', 'branch_protection_configuration'], changeOf(CHANGES.code)),
  repository_ruleset: all(changeOf(CHANGES.code), listsOf('rulesets'), settingsChanged),
  ...forEvents(['issues', 'issue_comment', 'label', 'milestone'], all(changeOf(CHANGES.issues), issueMoved)),
  ...forEvents(['sub_issues', 'issue_dependencies'], all(changeOf(CHANGES.issues), relatedIssues)),
  ...forEvents(
    ['pull_request', 'pull_request_review', 'pull_request_review_comment'],
    changeOf(['pulls', 'issues', 'self']),
  ),
  pull_request_review_thread: changeOf(['pulls']),
  release: changeOf(CHANGES.releases),
  ...forEvents(['workflow_run', 'check_run', 'check_suite', 'status', 'deployment_status'], changeOf(CHECKS)),
  workflow_job: all(changeOf(CHANGES.runs), listsOf('actions')), // a runner is busy or idle again
  ...forEvents(['workflow_dispatch', 'repository_dispatch', 'merge_group'], changeOf(CHANGES.runs)),
  ...forEvents(['page_build', 'deployment'], changeOf(CHANGES.runs)),
  ...forEvents(['deployment_review', 'deployment_protection_rule'], changeOf(CHANGES.runs)),
  deploy_key: changeOf(CHANGES.people),
  meta: all(changeOf(CHANGES.people), listsOf('hooks')),
  ...forEvents(['star', 'watch'], starred),
  fork: forked,
  ...forEvents(['repository', 'public'], repositoryChanged),
  repository_import: ({ repositories, owners }) => [...repositories.map(repositoryTag), ...ownedBy(...owners)],
  member: collaboratorChanged,
  ...forEvents(['team', 'team_add'], teamChanged),
  membership: teamMemberChanged,
  organization: organizationChanged,
  org_block: everythingOfOrganizations, // a blocked account loses its access
  installation: all(installationRepositoriesChanged, wholeInstallationChanged),
  installation_repositories: installationRepositoriesChanged,
  installation_target: ({ payload }) => renamedOrGone(namesAt(payload, 'login', 'account'), payload),
  github_app_authorization: () => viewerTags(...CALLERS_OWN), // it ends tokens of the sender, which the event does not name
  marketplace_purchase: () => viewerTags('marketplace_purchases'),
  personal_access_token_request: listsOf('personal-access-token-requests', 'personal-access-tokens'),
  ...forEvents(['projects_v2', 'projects_v2_item', 'projects_v2_status_update'], projectChanged),
  ...forEvents(['custom_property', 'custom_property_values'], propertyChanged),
  ...forEvents(['package', 'registry_package'], packageChanged),
  ...forEvents(['code_scanning_alert'], securityChanged('code-scanning')),
  ...forEvents(['dependabot_alert', 'repository_vulnerability_alert'], securityChanged('dependabot')),
  ...forEvents(
    ['secret_scanning_alert', 'secret_scanning_alert_location', 'secret_scanning_scan'],
    securityChanged('secret-scanning'),
  ),
  repository_advisory: securityChanged('security-advisories'),
  security_and_analysis: securityChanged('code-security'),
  security_advisory: () => [ADVISORIES],
};

/** Every event that has a row. */
export const KNOWN_EVENTS: readonly string[] = Object.keys(EFFECTS);

/** The changes of an event. */
export interface EventEffect {
  readonly tags: readonly string[];
  /** `stale` for an event without a row: responses about its repository or organization are validated before their next use. */
  readonly mode: 'purge' | 'stale';
  readonly isKnown: boolean;
}

export function isKnownEvent(event: string): boolean {
  return Object.hasOwn(EFFECTS, event);
}

export function effectOf(event: string, payload: unknown): EventEffect {
  const subject: Subject = {
    payload,
    action: event === 'public' ? 'publicized' : (textAt(payload, 'action') ?? ''),
    repositories: namesAt(payload, 'full_name', 'repository'),
    owners: namesAt(payload, 'login', 'repository', 'owner'),
    organizations: namesAt(payload, 'login', 'organization'),
  };
  const isKnown = isKnownEvent(event);
  const effect = (isKnown ? EFFECTS[event] : undefined) ?? unknownChange;
  return { tags: [...new Set(effect(subject))], mode: isKnown ? 'purge' : 'stale', isKnown };
}

function unknownChange({ payload, repositories, organizations }: Subject): readonly string[] {
  const enterprise = textAt(payload, 'enterprise', 'slug');
  if (repositories.length > 0) return repositories.map(repositoryTag);
  return [...organizations.map(accountTag), ...(enterprise === undefined ? [] : [enterpriseTag(enterprise)])];
}

function forEvents(events: readonly string[], effect: Effect): Record<string, Effect> {
  return Object.fromEntries(events.map((event) => [event, effect]));
}
