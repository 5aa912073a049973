import type { GatewayProblem } from '../upstream';

/**
 * Problems in the form of GitHub's own errors (https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api): its
 * clients show `message`, and distinguish a primary limit from a secondary one by status, words and address.
 */

const DOCS = 'https://docs.github.com/rest';
const LIMIT_DOCS = `${DOCS}/using-the-rest-api/rate-limits-for-the-rest-api`;

/** "You will receive a 403 or 429 response": octokit.rb and PyGithub know a spent limit by 403 alone. */
const LIMITED_STATUS = 403;

const LIMITS = {
  primary: { message: 'API rate limit exceeded', documentation_url: LIMIT_DOCS },
  secondary: {
    message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again',
    documentation_url: `${LIMIT_DOCS}#about-secondary-rate-limits`,
  },
} as const;

/** Clients that ask for JSON parse no other type (Octokit would show the whole body as the message). */
function asksForJson(accept: string): boolean {
  return /application\/(?:vnd\.github\b[\w.-]*\+)?json/i.test(accept) && !/problem\+json/i.test(accept);
}

export function githubProblem({ detail, limit, accept }: GatewayProblem) {
  const contentType = asksForJson(accept) ? { contentType: 'application/json; charset=utf-8' } : {};
  if (limit === undefined) return { ...contentType, members: { message: detail, documentation_url: DOCS } };
  const { message, documentation_url } = LIMITS[limit];
  return {
    ...contentType,
    status: LIMITED_STATUS,
    members: { message: `${message}. ${detail}`, documentation_url },
  };
}
