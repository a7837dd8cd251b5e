import { onScopeDispose, ref } from 'vue'
import type { Schemas } from './client'

/** What the stream carries, by the name of its events. */
export interface LiveEvents {
  alert: Schemas['StaffAlerted']
  /** Rows of a collection are others than they were: the noun as REST names it, and which (none: many, or not said). */
  changed: { noun: string; ids: string[] }
  /** A job of mine, or of my company's, took a step. */
  job: Schemas['Job']
  /** Events were missed, or nobody knows whether: read again what you show. */
  reset: object
}
export type LiveName = keyof LiveEvents
const NAMES: LiveName[] = ['alert', 'changed', 'job', 'reset']

/** live: events come by themselves. polling: they do not get through, so pages read again in intervals. */
export type LiveState = 'connecting' | 'live' | 'polling'
export const liveState = ref<LiveState>('connecting')

const OPEN_WITHIN_MS = 8_000
const POLL_MS = 15_000
const TRY_AGAIN_MS = 60_000

type Message =
  | { kind: 'event'; name: LiveName; data: string; id: string }
  | { kind: 'state'; state: LiveState }
  | { kind: 'hello' }

const handlers = new Map<LiveName, Set<(data: never) => void>>()

/** Calls `handler` for each event of that name while the component, or the scope, is alive. */
export function onLive<N extends LiveName>(name: N, handler: (data: LiveEvents[N]) => void): void {
  const all = handlers.get(name) ?? new Set()
  handlers.set(name, all)
  all.add(handler as (data: never) => void)
  onScopeDispose(() => all.delete(handler as (data: never) => void))
}

/**
 * One stream for all tabs of one person: browsers open six connections to a host and no more. The tab that holds the
 * lock reads it and tells the others; when it goes, the next one takes over behind the last event.
 */
class Stream {
  private source: EventSource | undefined
  private lastId = ''
  private leads = false
  private timers: number[] = []
  private poll: number | undefined
  private readonly channel: BroadcastChannel | undefined
  private release: () => void = () => {}

  constructor(
    who: string,
    private readonly scope: Scope,
  ) {
    const shared = 'BroadcastChannel' in window && 'locks' in navigator
    if (!shared) {
      this.lead()
      return
    }
    this.channel = new BroadcastChannel(`bihuan ${who}`)
    this.channel.onmessage = ({ data }: MessageEvent<Message>) => this.take(data)
    this.tell({ kind: 'hello' })
    void navigator.locks.request(`bihuan stream ${who}`, () => {
      this.lead()
      return new Promise<void>((resolve) => (this.release = resolve))
    })
  }

  close(): void {
    this.stop()
    this.leads = false
    window.clearInterval(this.poll)
    this.channel?.close()
    this.release()
  }

  private lead(): void {
    this.leads = true
    this.open()
  }

  private open(): void {
    this.stop()
    const query = new URLSearchParams({ scope: this.scope })
    if (this.lastId) query.set('lastEventId', this.lastId)
    const source = new EventSource(`/api/v1/stream?${query}`)
    this.source = source
    // A proxy that keeps the answer back never lets it open.
    this.after(OPEN_WITHIN_MS, () => source.readyState !== EventSource.OPEN && this.fallBack())
    source.onopen = () => {
      // Alerts that were missed come by the last id; which changes were, nobody knows.
      const again = liveState.value !== 'connecting'
      this.become('live')
      if (again) this.hear({ kind: 'event', name: 'reset', data: '{}', id: '' })
    }
    // While the browser connects again by itself, it is CONNECTING; CLOSED means that it was refused.
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.fallBack()
      else this.after(OPEN_WITHIN_MS, () => source.readyState !== EventSource.OPEN && this.fallBack())
    }
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        const { data, lastEventId } = event as MessageEvent<string>
        this.hear({ kind: 'event', name, data, id: lastEventId })
      })
    }
  }

  private fallBack(): void {
    this.stop()
    this.become('polling')
    this.after(TRY_AGAIN_MS, () => this.open())
  }

  private become(state: LiveState): void {
    this.hear({ kind: 'state', state })
  }

  private hear(message: Message): void {
    this.take(message)
    this.tell(message)
  }

  private take(message: Message): void {
    if (message.kind === 'hello') {
      if (this.leads) this.tell({ kind: 'state', state: liveState.value })
    } else if (message.kind === 'state') {
      liveState.value = message.state
      window.clearInterval(this.poll)
      if (message.state === 'polling') this.poll = window.setInterval(() => this.emit('reset', '{}'), POLL_MS)
    } else {
      if (message.id) this.lastId = message.id
      this.emit(message.name, message.data)
    }
  }

  private emit(name: LiveName, data: string): void {
    const read = JSON.parse(data) as never
    for (const handler of handlers.get(name) ?? []) handler(read)
  }

  private tell(message: Message): void {
    this.channel?.postMessage(message)
  }

  private after(milliseconds: number, action: () => unknown): void {
    this.timers.push(window.setTimeout(action, milliseconds))
  }

  private stop(): void {
    this.source?.close()
    this.source = undefined
    this.timers.forEach(window.clearTimeout)
    this.timers = []
  }
}

let stream: Stream | undefined

/** Whose alerts come: the person's own, or the whole corp's. */
export type Scope = 'own' | 'corp'

/** Follows the person's events from now on; nobody's when there is none. */
export function follow(who: string | undefined, scope: Scope = 'own'): void {
  stream?.close()
  liveState.value = 'connecting'
  stream = who ? new Stream(who, scope) : undefined
}
