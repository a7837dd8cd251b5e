/** How a figure compares with the period before. */
export interface Change {
  /** (now − before) ÷ before; null where before is 0, below it, or undefined. */
  ratio: number | null
  /** The figure of the period before, in words; undefined where it is undefined. */
  before: string | undefined
  /** Which way is good news; none: neither. */
  better: 'more' | 'less' | 'none'
}

export function changeOf(
  now: string | number | undefined,
  before: string | number | undefined,
  say: (value: string) => string,
  better: Change['better'] = 'more',
): Change {
  const [was, is] = [Number(before), Number(now)]
  const defined = before !== undefined && now !== undefined && was > 0
  return { ratio: defined ? (is - was) / was : null, before: before === undefined ? undefined : say(String(before)), better }
}

export const percent = (ratio: number): string => `${(Math.abs(ratio) * 100).toFixed(1)}%`
