import { ref } from 'vue'
import { language } from '../words'
import { me } from '../session'

/** How far this browser's clock is behind the server's, in milliseconds: it may be an hour off. */
let behind = 0
const OFF_MS = 5_000

export function heardFromServer(date: string | null): void {
  const moment = Date.parse(date ?? '')
  if (Number.isNaN(moment)) return
  const difference = moment - Date.now()
  // The header has whole seconds: less than that is no difference.
  behind = Math.abs(difference) > OFF_MS ? difference : 0
}

export const serverNow = (): number => Date.now() + behind

/** Goes up every half minute, for what says how long ago something was. */
export const tick = ref(0)
setInterval(() => tick.value++, 30_000)

export const zone = (): string => me.value?.corp.timezone ?? 'Asia/Shanghai'
const locale = (): string => (language.value === 'zh' ? 'zh-CN' : 'en-GB')

/** In the corp's zone, to the second. */
export function exact(moment: string): string {
  return new Intl.DateTimeFormat(locale(), {
    timeZone: zone(),
    dateStyle: 'medium',
    timeStyle: 'medium',
    hourCycle: 'h23',
  }).format(new Date(moment))
}

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, 'second'],
  [60, 'minute'],
  [24, 'hour'],
  [30, 'day'],
  [12, 'month'],
  [Infinity, 'year'],
]

/** "3 minutes ago", by the server's clock. */
export function relative(moment: string): string {
  let amount = (Date.parse(moment) - serverNow()) / 1000
  for (const [size, unit] of STEPS) {
    if (Math.abs(amount) < size) {
      const whole = unit === 'second' && Math.abs(amount) < 45 ? 0 : Math.round(amount)
      return new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }).format(whole, unit)
    }
    amount /= size
  }
  return exact(moment)
}

/** The first moment of a day (`2026-11-25`) of the corp's zone. */
export function startOfDay(day: string, offsetDays = 0): string {
  const guess = new Date(`${day}T00:00:00Z`)
  guess.setUTCDate(guess.getUTCDate() + offsetDays)
  const parts = new Intl.DateTimeFormat('en-GB', { timeZone: zone(), timeZoneName: 'longOffset' }).formatToParts(guess)
  const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? 'GMT'
  const match = /GMT([+-])(\d\d):(\d\d)/.exec(name)
  const minutes = match ? (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) : 0
  return new Date(guess.getTime() - minutes * 60_000).toISOString()
}
