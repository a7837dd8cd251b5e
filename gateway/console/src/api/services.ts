import type { Both } from '../words'

/** The services that the API names in a path, by what people call their stage. */
export const SERVICES = ['acquisition', 'engagement', 'commerce', 'identity'] as const
export type Service = (typeof SERVICES)[number]

export const STAGES: Record<Service, Both> = {
  acquisition: { zh: '客户增长 acquisition', en: 'Growth (acquisition)' },
  engagement: { zh: '客户运营 engagement', en: 'Operations (engagement)' },
  commerce: { zh: '客户转化 commerce', en: 'Conversion (commerce)' },
  identity: { zh: '客户管理 identity', en: 'Management (identity)' },
}
