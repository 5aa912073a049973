// Asks the same API as everybody else, and writes what it gets as text, never as markup.

const HISTORY_LENGTH = 20;
const element = (id) => document.getElementById(id);

async function ask(account) {
  const startedAt = performance.now();
  // Past the browser's own cache: a 304 would show the body of an earlier answer, and with it where that one came from.
  const response = await fetch(`/repos/${encodeURIComponent(account)}`, { cache: 'no-store' });
  const body = await response.json();
  const serverMs = Number(response.headers.get('x-response-time'));
  return { account, ok: response.ok, body, serverMs, totalMs: performance.now() - startedAt };
}

function source({ ok, body }) {
  if (!ok) return { text: 'error', style: 'badge bad' };
  return body.cached ? { text: 'cache', style: 'badge cached' } : { text: 'API', style: 'badge' };
}

const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;

function show(result) {
  const { ok, body, serverMs, totalMs } = result;
  const { text, style } = source(result);
  element('answer').hidden = false;
  element('who').textContent = ok ? body.username : '';
  element('has').textContent = ok ? 'has' : '';
  element('repos').textContent = ok ? String(body.repos) : '';
  element('unit').textContent = ok ? `public ${body.repos === 1 ? 'repository' : 'repositories'}` : '';
  element('badge').textContent = ok ? `from the ${text}` : String(body.title);
  element('badge').className = style;
  element('time').textContent = `${milliseconds(serverMs)} in the service, ${milliseconds(totalMs)} with the way here`;
  element('problem').textContent = ok ? '' : String(body.detail);
}

/** Nothing came: what is on the page is of an earlier question and goes. */
function showSilence() {
  for (const id of ['who', 'has', 'repos', 'unit', 'badge', 'time']) element(id).textContent = '';
  element('badge').className = '';
  element('answer').hidden = false;
  element('problem').textContent = 'The service did not answer. Is it still running?';
}

function remember(result) {
  const row = document.createElement('tr');
  const { text, style } = source(result);
  const cells = [result.account, result.ok ? String(result.body.repos) : '–', '', milliseconds(result.serverMs)].map(
    (content) => {
      const cell = document.createElement('td');
      cell.textContent = content;
      return cell;
    },
  );
  const badge = document.createElement('span');
  badge.className = style;
  badge.textContent = text;
  cells[2].append(badge);
  cells[3].className = 'number';
  row.append(...cells);
  element('history').prepend(row);
  while (element('history').children.length > HISTORY_LENGTH) element('history').lastElementChild.remove();
  element('empty').hidden = true;
}

element('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.target.querySelector('button');
  button.disabled = true;
  try {
    const result = await ask(element('account').value.trim());
    show(result);
    remember(result);
  } catch {
    showSilence();
  } finally {
    button.disabled = false;
  }
});
