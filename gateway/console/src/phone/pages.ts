import { onMounted, ref, shallowRef } from 'vue'
import { asProblem, type Problem } from '../api/problem'

export interface Part<Row> {
  rows: Row[]
  nextPageToken: string
}

/** A list that grows at its end. `load` reads a page behind a token; `reload` reads its beginning anew. */
export function growing<Row>(load: (pageToken: string) => Promise<Part<Row>>) {
  const rows = shallowRef<Row[]>()
  const token = ref('')
  const problem = shallowRef<Problem>()
  const busy = ref(false)

  async function read(from: string): Promise<void> {
    busy.value = true
    try {
      const part = await load(from)
      rows.value = from ? [...(rows.value ?? []), ...part.rows] : part.rows
      token.value = part.nextPageToken
      problem.value = undefined
    } catch (error) {
      problem.value = asProblem(error)
    }
    busy.value = false
  }
  onMounted(() => read(''))
  return { rows, token, problem, busy, reload: () => read(''), more: () => read(token.value) }
}
