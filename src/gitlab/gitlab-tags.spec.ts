import { effectOf, EVENTS } from './gitlab-events';
import { changesOf, gitlabTags, synonymsOf, tagsOfAnswer, tagsOfWrite } from './gitlab-tags';

const ISSUE = { project_id: 42, references: { full: 'Group/Project#7' } };
const OTHER = { project_id: 7, references: { full: 'group/other#1' } };
const PROJECT = { id: 42, path_with_namespace: 'group/renamed' };
const [ID, PATH, SUB] = ['/projects/42', '/projects/Group%2FProject', '/projects/group%2Fsub%2Fproject'];

const removes = (tags: readonly string[] | undefined, path: string): boolean =>
  tags === undefined || tags.includes('*') || gitlabTags(path).some((tag) => tags.includes(tag));
/** Of a write by somebody whom GitLab knows. */
const written = (path: string, answer?: unknown): readonly string[] | undefined => {
  const found = tagsOfAnswer(path, answer);
  return found && [...found, ...tagsOfWrite(path)];
};

describe('the tags of GitLab', () => {
  it.each<[string, unknown, readonly string[], readonly string[]]>([
    [
      `${ID}/issues/7`,
      ISSUE,
      [`${ID}/issues`, `${PATH}/issues`, PATH, '/issues'],
      [`${SUB}/issues`, `${ID}/pipelines`],
    ],
    [`${PATH}/issues/7`, ISSUE, [`${ID}/issues/7`, `${PATH}/merge_requests`], [`/projects/7/issues`, `${PATH}/jobs`]],
    [`${ID}/issues/7`, undefined, [`${ID}/issues`, `${PATH}/issues`, `${SUB}/issues`], ['/projects/7/issues']],
    [`${PATH}/issues/7`, undefined, [`${ID}/issues`, `${PATH}/issues`, '/projects/7/issues'], [`${SUB}/issues`]],
    [`${ID}/issues/7/move`, OTHER, [`${ID}/issues`, `${PATH}/issues`, '/projects/7/issues', `${SUB}/issues`], []],
    [`${ID}/merge_requests`, OTHER, [`${ID}/issues`, PATH, '/projects/7', '/projects/group%2Fother'], ['/projects/8']],
    [ID, PROJECT, [ID, PATH, '/projects/group%2Frenamed/issues', '/projects', '/groups/9/projects'], []],
    ['/projects', PROJECT, ['/projects', '/projects/group%2Frenamed', ID], [PATH, '/projects/7']],
    [
      `${ID}/pipeline`,
      { id: 1, project_id: 42 },
      [`${ID}/jobs`, `${PATH}/repository/commits/a`],
      [PATH, `${ID}/issues`],
    ],
    [`${ID}/pipeline`, {}, [`${ID}/pipelines.json`, `/projects/042/jobs`, `${PATH}/jobs.json`], [`${ID}/issues.json`]],
    ['/groups/9', { id: 9 }, [ID, PATH, '/groups/9', '/user'], []],
    ['/todos/1/mark_as_done', {}, ['/todos'], [ID, PATH]],
  ])('a write to %s that is answered %j removes what it changes', (path, answer, gone, kept) => {
    const tags = written(path, answer);
    expect(gone.filter((one) => !removes(tags, one))).toEqual([]);
    expect(kept.filter((one) => removes(tags, one))).toEqual([]);
  });

  it('of a write name its own project alone: an anonymous caller removes no more by aborting one', () => {
    expect(tagsOfWrite('/groups/9')).toEqual([]);
    for (const path of ['/projects/7', SUB, '/groups', '/projects'])
      expect(removes(tagsOfWrite(`${PATH}/issues`), path)).toBe(false);
  });

  it.each([
    ['project:42', [ID, PATH, SUB], ['/projects/7']],
    ['project:group/project', [ID, PATH, '/projects/7'], [SUB]],
    ['project:42:issues', [`${PATH}/issues`], [PATH, `${PATH}/jobs`, '/projects/7/issues']],
    ['lists', ['/groups'], [ID, PATH]],
  ])('removes with %s the other name, too', (tag, gone, kept) => {
    const tags = [tag, ...synonymsOf(tag)];
    expect(gone.filter((one) => !removes(tags, one))).toEqual([]);
    expect(kept.filter((one) => removes(tags, one))).toEqual([]);
  });

  it('of a project by its name with a format are of both that it may be', () => {
    for (const path of ['/projects/42.json', '/projects/Group%2FProject.json'])
      expect(removes(changesOf([path.includes('42') ? '42' : 'group/project'], ['self']), path)).toBe(true);
    expect(removes(changesOf(['group/project.json'], ['self']), '/projects/Group%2FProject.json')).toBe(true);
  });

  it('of a name that cannot be decoded are its own', () => {
    expect(gitlabTags('/projects/%FF%00a/issues')[0]).toBe('project:%ff%00a');
  });
});

describe('an event of GitLab', () => {
  const project = { id: 42, path_with_namespace: 'Group/Project' };
  const fork = { id: 9, path_with_namespace: 'fork/project' };

  it.each<[string, object, readonly string[], readonly string[]]>([
    ['tag_push', { project_id: 42, project }, [`${ID}/releases`, `${PATH}/repository/tags`], ['/projects/7', SUB]],
    ['issue', { project }, [`${ID}/issues`, PATH, '/issues'], [`${ID}/jobs`, `${PATH}/repository/tree`]],
    ['note', { project }, [`${PATH}/merge_requests/1/notes`, `${ID}/issues`], [`${ID}/pipelines`]],
    ['wiki_page', { project }, [`${PATH}/wikis`], [SUB]],
    ['release', { project }, [`${PATH}/releases`], [SUB]],
    ['deployment', { project }, [`${PATH}/environments`, `${ID}/deployments`], [`${ID}/issues`, '/projects']],
    [
      'build',
      { project_id: 42, project_name: 'Group / Project' },
      [`${ID}/jobs/1`, `${PATH}/jobs`],
      ['/projects/7/jobs'],
    ],
    [
      'merge_request',
      { project, object_attributes: { source_project_id: 9, target_project_id: 42, source: fork, target: project } },
      [`${PATH}/merge_requests`, ID, '/projects/9/repository/branches', '/projects/fork%2Fproject'],
      ['/projects/7', SUB],
    ],
    [
      '',
      {
        event_name: 'project_rename',
        project_id: 42,
        path_with_namespace: 'a/b',
        old_path_with_namespace: 'group/project',
      },
      [ID, PATH, '/projects/a%2Fb'],
      [SUB],
    ],
    ['', { event_name: 'user_add_to_group', group_id: 78 }, [ID, PATH, '/groups/78'], []],
    ['push', { project: 'unreadable', project_id: '42' }, [ID, PATH], []],
  ])('%s removes what it changes by both names', (kind, payload, gone, kept) => {
    const { tags } = effectOf('Any Hook', { ...(kind !== '' && { object_kind: kind }), ...payload })!;
    expect(gone.filter((one) => !removes(tags, one))).toEqual([]);
    expect(kept.filter((one) => removes(tags, one))).toEqual([]);
  });

  it('that is no object is unknown', () => {
    expect([effectOf('Push Hook', null), effectOf('Push Hook', [])]).toEqual([undefined, undefined]);
    expect(EVENTS).toContain('Wiki Page Hook');
  });
});
