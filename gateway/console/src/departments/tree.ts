import { api, dataOf, type Schemas } from '../api/client'

export type Department = Schemas['Department']

/** All departments that the address book has. */
export async function allDepartments(): Promise<Department[]> {
  const found: Department[] = []
  let pageToken = ''
  do {
    const page = await dataOf(api.GET('/api/v1/departments', { params: { query: { pageSize: 200, pageToken } } }))
    found.push(...page.departments)
    pageToken = page.nextPageToken
  } while (pageToken)
  return found
}

export interface Placed extends Department {
  /** How many are above it. */
  depth: number
}

/** Each behind the one above it; one whose parent the app may not see stands at the top. */
export function inTreeOrder(departments: Department[]): Placed[] {
  const known = new Set(departments.map((one) => one.departmentId))
  const below = new Map<string, Department[]>()
  for (const one of departments) {
    const parent = one.parentId && known.has(one.parentId) ? one.parentId : ''
    below.set(parent, [...(below.get(parent) ?? []), one])
  }
  const placed: Placed[] = []
  const place = (parent: string, depth: number): void => {
    for (const one of below.get(parent) ?? []) {
      placed.push({ ...one, depth })
      place(one.departmentId, depth + 1)
    }
  }
  place('', 0)
  return placed
}

/** As choices of a filter, indented. */
export const asChoices = (departments: Department[]): { value: string; label: string }[] =>
  inTreeOrder(departments).map((one) => ({ value: one.departmentId, label: '\u3000'.repeat(one.depth) + one.name }))
