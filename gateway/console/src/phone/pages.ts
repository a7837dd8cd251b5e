import { onMounted, ref, shallowRef } from 'vue'
import { asProblem, type Problem } from '../api/problem'

export interface Part<Row> {
  rows: Row[]
  nextPageToken: string
}

/**
 * A list that grows at its end. `load` reads a page behind a token; `reload` reads its beginning anew and keeps what was
 * read behind it; `restart` keeps nothing. `key` tells rows apart.
 */
export function growing<Row>(load: (pageToken: string) => Promise<Part<Row>>, key: (row: Row) => string) {
  const rows = shallowRef<Row[]>()
  const token = ref('')
  const problem = shallowRef<Problem>()
  const busy = ref(false)
  // More than the first page is there.
  let grown = false

  async function read(from: string, before: Row[], behind: Row[]): Promise<void> {
    busy.value = true
    try {
      const part = await load(from)
      const read = new Set([...before, ...part.rows].map(key))
      const rest = behind.filter((row) => !read.has(key(row)))
      rows.value = [...before, ...part.rows, ...rest]
      if (!rest.length) token.value = part.nextPageToken
      problem.value = undefined
    } catch (error) {
      problem.value = asProblem(error)
    }
    busy.value = false
  }
  async function more(): Promise<void> {
    grown = true
    await read(token.value, rows.value ?? [], [])
  }
  async function restart(): Promise<void> {
    grown = false
    await read('', [], [])
  }
  onMounted(restart)
  return { rows, token, problem, busy, restart, reload: () => read('', [], grown ? (rows.value ?? []) : []), more }
}
