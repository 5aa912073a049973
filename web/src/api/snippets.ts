import type { Sent } from './http';

/** A request as others would send it: what the page did, to be pasted elsewhere. A secret is named, never written. */
export interface Snippet {
  readonly name: 'curl' | 'fetch' | 'Octokit';
  readonly text: string;
}

export function snippetsOf(sent: Sent, origin: string, gatewayPrefix: string): Snippet[] {
  const octokit = asOctokit(sent, origin, gatewayPrefix);
  return [
    { name: 'curl', text: asCurl(sent, origin) },
    { name: 'fetch', text: asFetch(sent, origin) },
    ...(octokit === undefined ? [] : [{ name: 'Octokit' as const, text: octokit }]),
  ];
}

function asCurl({ method, path, headers, body }: Sent, origin: string): string {
  const parts = [
    `curl -i ${quoted(`${origin}${path}`)}`,
    ...(method === 'GET' ? [] : [`-X ${method}`]),
    ...headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`-d ${quoted(body)}`]),
  ];
  return parts.join(' \\\n  ');
}

/** For a shell: within single quotes nothing has a meaning but the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function asFetch({ method, path, headers, body }: Sent, origin: string): string {
  const options: string[] = [
    ...(method === 'GET' ? [] : [`  method: ${literal(method)},`]),
    ...(headers.length === 0 ? [] : [`  headers: ${objectOf(headers)},`]),
    ...(body === undefined ? [] : [`  body: ${literal(body)},`]),
  ];
  const second = options.length === 0 ? '' : `, {\n${options.join('\n')}\n}`;
  return `const response = await fetch(${literal(`${origin}${path}`)}${second});\nconst answer = await response.json();\nconsole.log(response.headers.get('cache-status'), answer);`;
}

/** Only what the gateway answers is GitHub's own API, and so Octokit's. */
function asOctokit({ method, path, headers }: Sent, origin: string, gatewayPrefix: string): string | undefined {
  if (!path.startsWith(`${gatewayPrefix}/`)) return undefined;
  const second = headers.length === 0 ? '' : `, {\n  headers: ${objectOf(headers)},\n}`;
  return `import { Octokit } from '@octokit/rest';\n\nconst octokit = new Octokit({ baseUrl: ${literal(`${origin}${gatewayPrefix}`)} });\nconst { data, headers } = await octokit.request(${literal(`${method} ${path.slice(gatewayPrefix.length)}`)}${second});\nconsole.log(headers['cache-status'], data);`;
}

function objectOf(headers: Sent['headers']): string {
  return `{ ${headers.map(([name, value]) => `${literal(name)}: ${literal(value)}`).join(', ')} }`;
}

function literal(text: string): string {
  return `'${JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
    .replaceAll("'", String.raw`\'`)}'`;
}
