import { notify } from '../shell/notices';

/** Copies the text; over plain HTTP from another machine the browser offers no clipboard, and the notice says what to do. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notify(`${what} copied.`);
  } catch {
    notify('The browser does not let this page copy. Select the text and copy it yourself.', true);
  }
}
