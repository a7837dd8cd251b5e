import { shallowRef } from 'vue'
import { api, dataOf, type Schemas } from './api/client'

export type Role = Schemas['Role']
export interface Corp {
  corpId: string
  name: string
  timezone: string
}
export type Me = Schemas['GetMeResponse'] & { corp: Corp }

const KEPT = 'bihuan.corp'

/** Who is signed in; undefined until it is known. */
export const me = shallowRef<Me>()

export const corps = async (): Promise<Corp[]> => (await dataOf(api.GET('/auth/corps'))).corps

/** Throws a Problem with status 401 when nobody is. */
export async function loadMe(): Promise<Me> {
  const [mine, all] = await Promise.all([dataOf(api.GET('/api/v1/me')), corps()])
  const corp = all.find((one) => one.corpId === mine.corpId)
  me.value = { ...mine, corp: corp ?? { corpId: mine.corpId, name: mine.corpId, timezone: 'Asia/Shanghai' } }
  localStorage.setItem(KEPT, mine.corpId)
  return me.value
}

/** The corp of the last sign-in in this browser. */
export const rememberedCorp = (): string => localStorage.getItem(KEPT) ?? ''

export const signInAddress = (corpId: string, next: string): string =>
  `/auth/login?${new URLSearchParams({ ...(corpId ? { corp_id: corpId } : {}), next })}`

export async function signOut(): Promise<void> {
  await api.POST('/auth/logout')
  me.value = undefined
}
