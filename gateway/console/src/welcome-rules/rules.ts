import { api, dataOf, type Schemas } from '../api/client'

export type WelcomeRule = Schemas['WelcomeRule']

export async function readRule(welcomeRuleId: string): Promise<WelcomeRule> {
  return (await dataOf(api.GET('/api/v1/welcome-rules/{welcomeRuleId}', { params: { path: { welcomeRuleId } } }))).welcomeRule
}
