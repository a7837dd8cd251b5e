import { shallowRef } from 'vue'
import { api, dataOf, type Schemas } from './client'
import { language } from '../words'

interface Label {
  value: string
  zh: string
  en: string
}

/** The enums that the document names. */
export type EnumName = {
  [Name in keyof Schemas]: Schemas[Name] extends string ? Name : never
}[keyof Schemas]

const known = shallowRef<Record<string, Label[]>>({})
let asked: Promise<void> | undefined

export function loadCatalogue(): Promise<void> {
  asked ??= dataOf(api.GET('/api/v1/catalogue')).then(
    (answer) => {
      known.value = answer.enums
    },
    () => {
      asked = undefined
    },
  )
  return asked
}

/** An enum's value in words; the value itself until the catalogue is there, or when this release does not know it. */
export function label(name: EnumName, value: string): string {
  return known.value[name]?.find((one) => one.value === value)?.[language.value] ?? value
}

/** What a filter or a form offers. */
export function choices(name: EnumName): { value: string; label: string }[] {
  return (known.value[name] ?? []).map((one) => ({ value: one.value, label: one[language.value] }))
}
