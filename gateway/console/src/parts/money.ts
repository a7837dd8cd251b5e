const SIGNS: Record<string, string> = { CNY: '¥', USD: '$', EUR: '€', HKD: 'HK$' }

/** Minor units → "¥1,234.56". They are whole numbers of up to 19 digits, more than a JavaScript number holds. */
export function money(amount: string, currency = 'CNY'): string {
  const minor = BigInt(amount)
  const whole = minor < 0n ? -minor : minor
  const text = `${(whole / 100n).toLocaleString('en-US')}.${String(whole % 100n).padStart(2, '0')}`
  return `${minor < 0n ? '−' : ''}${SIGNS[currency] ?? currency + ' '}${text}`
}

/** "12,345" of a count that came as text. */
export const count = (value: string): string => BigInt(value).toLocaleString('en-US')
