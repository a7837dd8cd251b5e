import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from './schema'
import { Problem, asProblem, unanswered, type ProblemBody } from './problem'
import { heardFromServer } from '../parts/time'

export type Schemas = components['schemas']

type Ended = () => void
let whenEnded: Ended = () => {}

/** What happens when the session is over, whoever ended it. */
export function onSessionEnded(ended: Ended): void {
  whenEnded = ended
}

const watch: Middleware = {
  async onResponse({ response }) {
    heardFromServer(response.headers.get('Date'))
    if (response.ok) return
    const isProblem = response.headers.get('Content-Type')?.startsWith('application/problem+json')
    const body = isProblem ? ((await response.json()) as ProblemBody) : undefined
    if (response.status === 401) whenEnded()
    throw body ? new Problem(body) : unanswered(`HTTP ${response.status}`)
  },
  onError({ error }) {
    return asProblem(error)
  },
}

/** The API as its document types it. Every call resolves to `{ data }` or throws a Problem. */
export const api = createClient<paths>({ baseUrl: '' })
api.use(watch)

/** The data of an answer that is there, since a refusal throws. */
export async function dataOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call
  return data as T
}
