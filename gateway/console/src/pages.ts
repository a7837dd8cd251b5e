import type { Component } from 'vue'
import type { Role } from './session'
import type { Both } from './words'

type Load = () => Promise<{ default: Component }>

/** A line of the table below: where, for whom, which file, and what the navigation calls it (nothing: it has no entry). */
export interface Page {
  path: string
  section: Section
  roles: readonly Role[]
  load: Load
  title: Both
  inNavigation: boolean
}

export const SECTIONS = {
  work: { zh: '工作台', en: 'Work' },
  growth: { zh: '拉新', en: 'Growth' },
  operations: { zh: '运营', en: 'Operations' },
  people: { zh: '客户', en: 'People' },
  conversion: { zh: '转化', en: 'Conversion' },
  settings: { zh: '设置', en: 'Settings' },
} satisfies Record<string, Both>
export type Section = keyof typeof SECTIONS

const ADMIN: Role = 'ROLE_ADMIN'
const RUNS: readonly Role[] = [ADMIN, 'ROLE_OPERATOR']
const READS: readonly Role[] = [...RUNS, 'ROLE_ANALYST']
const LEADS: readonly Role[] = [...READS, 'ROLE_MANAGER']
const ALL: readonly Role[] = [...LEADS, 'ROLE_FRONTLINE']

/** A page with an entry in the navigation. */
const page = (path: string, section: Section, roles: readonly Role[], zh: string, en: string, load: Load): Page => ({
  path, section, roles, load, title: { zh, en }, inNavigation: true,
})

/** A page that others lead to. */
const inner = (path: string, section: Section, roles: readonly Role[], zh: string, en: string, load: Load): Page => ({
  path, section, roles, load, title: { zh, en }, inNavigation: false,
})

/** Where a role starts that does not start with the first page it may see. */
export const START: Partial<Record<Role, string>> = { ROLE_FRONTLINE: '/alerts' }

// The order here is the order of the navigation.
export const PAGES: Page[] = [
  page('/overview', 'work', ALL, '概览', 'Overview', () => import('./overview/Overview.vue')),
  page('/alerts', 'work', ALL, '提醒', 'Alerts', () => import('./alerts/AlertList.vue')),
  page('/channels', 'growth', LEADS, '渠道', 'Channels', () => import('./channels/ChannelList.vue')),
  inner('/channels/new', 'growth', RUNS, '新建渠道', 'New channel', () => import('./channels/ChannelForm.vue')),
  inner('/channels/:channelId/edit', 'growth', RUNS, '修改渠道', 'Change channel', () => import('./channels/ChannelForm.vue')),
  inner('/channels/:channelId', 'growth', LEADS, '渠道', 'Channel', () => import('./channels/ChannelDetail.vue')),
  page('/live-codes', 'growth', LEADS, '活码', 'Live codes', () => import('./live-codes/LiveCodeList.vue')),
  inner('/live-codes/new', 'growth', RUNS, '新建活码', 'New live code', () => import('./live-codes/LiveCodeForm.vue')),
  inner('/live-codes/:liveCodeId/edit', 'growth', RUNS, '修改活码', 'Change live code', () => import('./live-codes/LiveCodeForm.vue')),
  inner('/live-codes/:liveCodeId', 'growth', LEADS, '活码', 'Live code', () => import('./live-codes/LiveCodeDetail.vue')),
  page('/welcome-rules', 'operations', LEADS, '欢迎语', 'Welcomes', () => import('./welcome-rules/WelcomeRuleList.vue')),
  inner('/welcome-rules/new', 'operations', RUNS, '新建欢迎语', 'New welcome', () => import('./welcome-rules/WelcomeRuleForm.vue')),
  inner('/welcome-rules/:welcomeRuleId', 'operations', RUNS, '编辑欢迎语', 'Edit welcome', () => import('./welcome-rules/WelcomeRuleForm.vue')),
  page('/welcomes', 'operations', ALL, '欢迎记录', 'Sent welcomes', () => import('./welcomes/WelcomeList.vue')),
  page('/customers', 'people', ALL, '客户', 'Customers', () => import('./customers/CustomerList.vue')),
  inner('/customers/:customerId', 'people', ALL, '客户', 'Customer', () => import('./customers/CustomerDetail.vue')),
  inner('/customers/:customerId/evidence', 'people', [ADMIN], '为什么是同一个人', 'Why one person', () => import('./separations/EvidenceList.vue')),
  page('/separations', 'people', [ADMIN], '分开的身份', 'Separations', () => import('./separations/SeparationList.vue')),
  inner('/separations/new', 'people', [ADMIN], '声明分开', 'Declare a separation', () => import('./separations/SeparationForm.vue')),
  page('/identifier-policies', 'people', [ADMIN], '身份规则', 'Identifier policies', () => import('./identifier-policies/IdentifierPolicyList.vue')),
  inner('/identifier-policies/:kind', 'people', [ADMIN], '身份规则', 'Identifier policy', () => import('./identifier-policies/IdentifierPolicyForm.vue')),
  page('/orders', 'conversion', ALL, '订单', 'Orders', () => import('./orders/OrderList.vue')),
  inner('/orders/:mallId/:orderId', 'conversion', ALL, '订单', 'Order', () => import('./orders/OrderDetail.vue')),
  page('/jobs', 'settings', ALL, '任务', 'Jobs', () => import('./jobs/JobList.vue')),
  page('/health', 'settings', [ADMIN], '健康', 'Health', () => import('./health/Health.vue')),
  page('/staff', 'settings', LEADS, '员工', 'Staff', () => import('./staff/StaffList.vue')),
  page('/departments', 'settings', LEADS, '部门', 'Departments', () => import('./departments/DepartmentList.vue')),
  page('/dead-letters', 'settings', [ADMIN], '死信', 'Dead letters', () => import('./dead-letters/DeadLetterList.vue')),
  inner('/dead-letters/:service/:durable/:factId', 'settings', [ADMIN], '死信', 'Dead letter', () => import('./dead-letters/DeadLetterDetail.vue')),
  page('/api-keys', 'settings', [ADMIN], 'API 密钥', 'API keys', () => import('./api-keys/ApiKeyList.vue')),
]
