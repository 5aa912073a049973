import { computed, ref } from 'vue';

/** Light, dark, or what the system says. The choice is kept; nothing else of the page is. */
export type ThemeChoice = 'system' | 'light' | 'dark';

const STORAGE_KEY = 'larder-theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = ref(system.matches);

export const themeChoice = ref<ThemeChoice>(storedChoice());

export const isDark = computed(() =>
  themeChoice.value === 'system' ? systemIsDark.value : themeChoice.value === 'dark',
);

export function chooseTheme(choice: ThemeChoice): void {
  themeChoice.value = choice;
  try {
    localStorage.setItem(STORAGE_KEY, choice);
  } catch {
    // Storage is off in this browser: the choice lasts as long as the page.
  }
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = isDark.value ? 'dark' : 'light';
}

system.addEventListener('change', ({ matches }) => {
  systemIsDark.value = matches;
  applyTheme();
});

function storedChoice(): ThemeChoice {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'system';
  } catch {
    return 'system'; // storage is off in this browser
  }
}
