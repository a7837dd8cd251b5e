/** What a form is made of. Its values are texts, by the field's name in the API: `link.title`. */
export interface Field {
  name: string
  label: string
  /** custom: the page draws it, in the slot `field-…`; its value is a text all the same. */
  kind: 'text' | 'area' | 'choice' | 'custom'
  required?: boolean
  hint?: string
  choices?: { value: string; label: string }[]
  /** How two versions of it are compared by people; the value itself without it. */
  show?: (value: string) => string
}

export type Values = Record<string, string>

/** A thing as it is now: its values, and the revision that a change is made from. */
export interface Present {
  values: Values
  revision?: string
}

/** `link.title` and `text` → `{ link: { title }, text }`. */
export function nested(values: Values): Record<string, unknown> {
  const made: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values)) {
    const way = name.split('.')
    const last = way.pop() as string
    let holder = made
    for (const part of way) holder = (holder[part] ??= {}) as Record<string, unknown>
    holder[last] = value
  }
  return made
}

/** The values that are others than they were: what a PATCH sends. */
export function changed(values: Values, before: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== (before[name] ?? '')))
}
