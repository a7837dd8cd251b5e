import { api, dataOf } from '../api/client'

/** Channel id → name, of all channels, archived ones too. */
export async function channelNames(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const archived of [false, true]) {
    let pageToken = ''
    do {
      const page = await dataOf(api.GET('/api/v1/channels', { params: { query: { pageSize: 200, pageToken, archived } } }))
      for (const one of page.channels) found.set(one.channelId, one.name)
      pageToken = page.nextPageToken
    } while (pageToken)
  }
  return found
}
