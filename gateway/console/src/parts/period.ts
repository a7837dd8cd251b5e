import type { LocationQuery } from 'vue-router'
import { serverNow, zone } from './time'

/** Days of the corp's zone, as 2026-11-25; both included. */
export interface Period {
  first: string
  last: string
}
export const PRESETS = [1, 7, 30, 90]
const USUAL_DAYS = 30
const MOST_DAYS = 400

export const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && new Date(text + 'T00:00:00Z').toJSON()?.slice(0, 10) === text

export function shifted(day: string, days: number): string {
  const moved = new Date(day + 'T00:00:00Z')
  moved.setUTCDate(moved.getUTCDate() + days)
  return moved.toISOString().slice(0, 10)
}
export const lengthOf = ({ first, last }: Period): number => (Date.parse(last) - Date.parse(first)) / 86_400_000 + 1

/** The same number of days, just before. */
export const before = (period: Period): Period => ({
  first: shifted(period.first, -lengthOf(period)),
  last: shifted(period.first, -1),
})

/** Today in the corp's zone, by the server's clock. */
export const today = (): string => new Intl.DateTimeFormat('sv-SE', { timeZone: zone() }).format(serverNow())
export const lastDays = (days: number): Period => ({ first: shifted(today(), 1 - days), last: today() })

/** What the address asks for: `days=7` up to today, or `from` and `to`. `wrong`: the part of it that is nonsense. */
export function periodOf(query: LocationQuery): { period: Period; days?: number; wrong?: 'days' | 'from' | 'to' | 'length' } {
  const { days, from, to } = query
  const usual = lastDays(USUAL_DAYS)
  if (from === undefined && to === undefined) {
    if (days === undefined) return { period: usual, days: USUAL_DAYS }
    const asked = typeof days === 'string' && /^\d{1,3}$/.test(days) ? Number(days) : 0
    return asked >= 1 && asked <= MOST_DAYS ? { period: lastDays(asked), days: asked } : { period: usual, wrong: 'days' }
  }
  if (typeof from !== 'string' || !isDay(from)) return { period: usual, wrong: 'from' }
  if (typeof to !== 'string' || !isDay(to) || to < from) return { period: usual, wrong: 'to' }
  const period = { first: from, last: to }
  return lengthOf(period) <= MOST_DAYS ? { period } : { period: usual, wrong: 'length' }
}
