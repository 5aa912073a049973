import { z } from 'zod';
import type { WebhookEffect } from '../upstream';
import { AREAS, CHANGES, changesOf, LISTS, type Area } from './gitlab-tags';

/*
 * GitLab's webhooks of projects, groups and instances (https://docs.gitlab.com/user/project/integrations/webhook_events/), which name the event in a field, and in
 * the payload, where those of instances are told apart.
 */

export const EVENTS = ['Push', 'Tag Push', 'Issue', 'Confidential Issue', 'Note', 'Confidential Note', 'Merge Request']
  .concat(['Wiki Page', 'Pipeline', 'Job', 'Deployment', 'Release', 'Milestone', 'Emoji', 'Member', 'System'])
  .map((name) => `${name} Hook`);

/** The areas of events by `object_kind`; of other events all. */
const AREAS_OF: ReadonlyMap<unknown, readonly Area[]> = new Map<unknown, readonly Area[]>([
  ...(['pipeline', 'build', 'deployment'] as const).map((kind) => [kind, CHANGES.ci] as const),
  ...(['issue', 'work_item', 'milestone'] as const).map((kind) => [kind, CHANGES.issues] as const),
  ['note', ['code', 'issues', 'merge_requests', 'self']],
]);

const id = z.int().nullish().catch(undefined);
const path = z.string().nullish().catch(undefined);
const project = z.object({ id, path_with_namespace: path }).nullish().catch(undefined);
const attributes = z.object({ source: project, target: project, source_project_id: id, target_project_id: id });
const payloads = z.object({
  ...{ object_kind: path, project_id: id, project, path_with_namespace: path, old_path_with_namespace: path },
  object_attributes: attributes.nullish().catch(undefined),
});

export function effectOf(_event: string, payload: unknown): WebhookEffect | undefined {
  const { data } = payloads.safeParse(payload);
  if (!data) return undefined;
  const { object_kind: kind, object_attributes: merge } = data;
  const ids = [data.project_id, data.project?.id, merge?.source_project_id, merge?.target_project_id];
  const projects = [data.project, merge?.source, merge?.target, data];
  const paths = [...projects.map((one) => one?.path_with_namespace), data.old_path_with_namespace];
  const names = [...new Set([...ids, ...paths].flatMap((name) => (name == null ? [] : [String(name)])))];
  // Of groups and users: what they may read, and what projects are called.
  if (names.length === 0) return { tags: ['*'], mode: 'stale' };
  const areas = AREAS_OF.get(kind) ?? AREAS;
  return { tags: [...changesOf(names, areas), ...(areas === CHANGES.ci ? [] : [LISTS])] };
}
