import { api, dataOf, type Schemas } from '../api/client'

export type WelcomeRule = Schemas['WelcomeRule']

export async function channelNames(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  let pageToken = ''
  do {
    const page = await dataOf(api.GET('/api/v1/channels', { params: { query: { pageSize: 200, pageToken } } }))
    for (const one of page.channels) found.set(one.channelId, one.name)
    pageToken = page.nextPageToken
  } while (pageToken)
  return found
}

/** The API has no read of one rule: it is looked for in the list. */
export async function findRule(id: string): Promise<WelcomeRule | undefined> {
  let pageToken = ''
  do {
    const page = await dataOf(api.GET('/api/v1/welcome-rules', { params: { query: { pageSize: 200, pageToken } } }))
    const found = page.welcomeRules.find((one) => one.welcomeRuleId === id)
    if (found) return found
    pageToken = page.nextPageToken
  } while (pageToken)
  return undefined
}
