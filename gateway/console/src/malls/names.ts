import { api, dataOf } from '../api/client'

/** Mall id → name. */
export async function mallNames(): Promise<Map<string, string>> {
  const { malls } = await dataOf(api.GET('/api/v1/malls'))
  return new Map(malls.map((one) => [one.mallId, one.name]))
}
