import type { components } from './schema'

export type ProblemBody = components['schemas']['Problem']

/** What the API refused, or that nobody answered (`status` 0). */
export class Problem extends Error {
  constructor(readonly body: ProblemBody) {
    super(body.detail || body.title)
  }

  get status(): number {
    return this.body.status
  }

  get reason(): string {
    return this.body.reason
  }

  /** The field that is wrong, as the request spells it: `link.title`. */
  get field(): string {
    return this.body.field ?? ''
  }
}

export const unanswered = (detail: string): Problem =>
  new Problem({ type: 'about:blank', title: 'Unanswered', status: 0, detail, reason: 'UNANSWERED' })

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : unanswered(error instanceof Error ? error.message : String(error))
}
