import { ref } from 'vue';

/** Short messages about something that was done, read out by screen readers too. */
export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly isBad: boolean;
}

export const notices = ref<Notice[]>([]);
let lastId = 0;

export function notify(text: string, isBad = false): void {
  lastId += 1;
  notices.value = [...notices.value.slice(-2), { id: lastId, text, isBad }];
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
