import { ref } from 'vue'

/** Chinese first; English by a switch. Remembered in this browser. */
export type Language = 'zh' | 'en'
export const LANGUAGES: Record<Language, string> = { zh: '中文', en: 'English' }
const KEPT = 'bihuan.language'

export const language = ref<Language>(localStorage.getItem(KEPT) === 'en' ? 'en' : 'zh')

export function speak(chosen: Language): void {
  localStorage.setItem(KEPT, chosen)
  language.value = chosen
  document.documentElement.lang = chosen === 'zh' ? 'zh-CN' : 'en'
}

type Values = Record<string, string | number>

/**
 * The words of one folder, in both languages. The type holds them complete: a key that one language lacks, and a key
 * that nobody wrote, do not compile. `{name}` in a text is filled from `values`.
 */
export function words<K extends string>(texts: { zh: Record<K, string>; en: Record<NoInfer<K>, string> }) {
  return (key: K, values: Values = {}): string =>
    texts[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** A text that stands where it is used, such as the title of a page in the table of pages. */
export interface Both {
  zh: string
  en: string
}

export const say = (text: Both): string => text[language.value]
