import { onScopeDispose, ref, type Ref } from 'vue';

/** The time, moving on while the component is shown. */
export function useNow(everyMs = 250): Ref<number> {
  const now = ref(Date.now());
  const timer = setInterval(() => (now.value = Date.now()), everyMs);
  onScopeDispose(() => clearInterval(timer));
  return now;
}
