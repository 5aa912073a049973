/** Asks the simulator as the handler of a tutorial would; an answer that is not 2xx is an error. */
export async function fetchUser(account: string): Promise<Record<string, unknown>> {
  const base = process.env['GITHUB_API_URL'] ?? '';
  const response = await fetch(`${base}/users/${account}`, { headers: { 'user-agent': 'larder-benchmarks' } });
  if (!response.ok) throw new Error(`The upstream answered ${response.status}`);
  return (await response.json()) as Record<string, unknown>;
}
