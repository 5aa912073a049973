import { onBeforeUnmount, onMounted, ref, type Ref } from 'vue';

/**
 * The width of a drawing's box, in units of a screen with 16 px letters: a drawing keeps its proportions to the text around it, from a
 * phone to a 4K display.
 */
export function usePlotSize(
  box: Readonly<Ref<HTMLElement | null>>,
  minWidth: number,
): { readonly width: Ref<number>; readonly scale: Ref<number> } {
  const width = ref(minWidth);
  const scale = ref(1);
  const observer = new ResizeObserver(([entry]) => {
    if (!entry) return;
    scale.value = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    width.value = Math.max(minWidth, entry.contentRect.width / scale.value);
  });
  onMounted(() => box.value && observer.observe(box.value));
  onBeforeUnmount(() => observer.disconnect());
  return { width, scale };
}
