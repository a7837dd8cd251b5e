import { onScopeDispose } from 'vue'

/** Calls `action` once, `milliseconds` after the first of many askings: a flood of events never puts it off. */
export function throttled(action: () => unknown, milliseconds: number): () => void {
  let timer = 0
  onScopeDispose(() => window.clearTimeout(timer))
  return () => {
    timer ||= window.setTimeout(() => {
      timer = 0
      action()
    }, milliseconds)
  }
}
