import type { DocumentedPaths } from '../upstream';

const USER = { login: 'redis', type: 'Organization', public_repos: 155 };
const REPOSITORY = { full_name: 'redis/redis', private: false, stargazers_count: 70_000 };
const OF_REPOSITORY = { owner: 'redis', repo: 'redis' };

/** The paths of GitHub's API in the API documentation. */
export const githubPaths: DocumentedPaths = {
  paths: [
    { path: '/users/{username}', summary: 'A user or organization', names: { username: 'redis' }, example: USER },
    {
      path: '/users/{username}/repos',
      summary: 'The public repositories of an account',
      names: { username: 'redis' },
      example: [REPOSITORY],
    },
    {
      path: '/orgs/{org}/repos',
      summary: 'The public repositories of an organization',
      names: { org: 'redis' },
      example: [REPOSITORY],
    },
    { path: '/repos/{owner}/{repo}', summary: 'A repository', names: OF_REPOSITORY, example: REPOSITORY },
    {
      path: '/repos/{owner}/{repo}/issues',
      summary: 'Issues of a repository',
      names: OF_REPOSITORY,
      example: [{ number: 1, title: 'A bug', state: 'open' }],
    },
    {
      path: '/repos/{owner}/{repo}/commits',
      summary: 'Commits of a repository',
      names: OF_REPOSITORY,
      example: [{ sha: '6dcb09b5b57875f334f61aebed695e2e4193db5e' }],
    },
    {
      path: '/repos/{owner}/{repo}/releases',
      summary: 'Releases of a repository',
      names: OF_REPOSITORY,
      example: [{ tag_name: '8.4.0' }],
    },
  ],
  anyPath: 'users/redis',
  anyExample: USER,
  notFound: { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' },
  webhookPayload: { zen: 'Keep it logically awesome.' },
  webhookEvent: 'repository',
};
