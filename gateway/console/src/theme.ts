import { ref } from 'vue'

/** As the system has it, until somebody chooses; remembered in this browser. */
export type Theme = 'system' | 'light' | 'dark'
const KEPT = 'bihuan.theme'
const system = window.matchMedia('(prefers-color-scheme: dark)')

const read = (): Theme => {
  const kept = localStorage.getItem(KEPT)
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}
export const theme = ref<Theme>(read())
export const isDark = ref(false)

export function applyTheme(chosen: Theme = theme.value): void {
  theme.value = chosen
  if (chosen === 'system') localStorage.removeItem(KEPT)
  else localStorage.setItem(KEPT, chosen)
  isDark.value = chosen === 'dark' || (chosen === 'system' && system.matches)
  document.documentElement.classList.toggle('dark', isDark.value)
}
system.addEventListener('change', () => applyTheme())
