import { api, dataOf, type Schemas } from '../api/client'
import { channelNames } from '../channels/names'
import { before, type Period } from '../parts/period'
import type { Role } from '../session'

export type Adds = Schemas['GetAddReportResponse']
export type Sales = Schemas['GetSalesReportResponse']
/** A report of the period, and of the one before. */
export interface Both<Report> {
  now: Report
  before: Report
}
export type Breakdown = 'DIMENSION_CHANNEL' | 'DIMENSION_STAFF' | 'DIMENSION_DEPARTMENT' | 'DIMENSION_MALL'

const asked = ({ first, last }: Period, by: Schemas['Dimension']) => ({ params: { query: { firstDay: first, lastDay: last, by } } })

/** Who may ask for the figures of the whole corp. */
export const seesCorp = (role: Role | undefined): boolean => role === 'ROLE_ADMIN' || role === 'ROLE_OPERATOR' || role === 'ROLE_ANALYST'
/** Channels have names for those who may list them. */
export const seesChannels = (role: Role | undefined): boolean => seesCorp(role) || role === 'ROLE_MANAGER'

const addsOf = (period: Period, by: Schemas['Dimension']): Promise<Adds> => dataOf(api.GET('/api/v1/reports/adds', asked(period, by)))
const salesOf = ({ first, last }: Period, by: Schemas['Dimension'], currency: string): Promise<Sales> =>
  dataOf(api.GET('/api/v1/reports/sales', { params: { query: { firstDay: first, lastDay: last, by, currency } } }))

async function both<Report>(period: Period, read: (of: Period) => Promise<Report>): Promise<Both<Report>> {
  const [now, past] = await Promise.all([read(period), read(before(period))])
  return { now, before: past }
}

/** Everything that the overview shows of a period; of the corp as it is now, only what the role may ask for. */
export async function readReports(period: Period, currency: string, role: Role | undefined) {
  const by = 'DIMENSION_DAY'
  const [adds, sales, relations, welcomes, alerts, people] = await Promise.all([
    both(period, (of) => addsOf(of, by)),
    both(period, (of) => salesOf(of, by, currency)),
    both(period, (of) => dataOf(api.GET('/api/v1/reports/relations', asked(of, by)))),
    both(period, (of) => dataOf(api.GET('/api/v1/reports/welcomes', asked(of, by)))),
    both(period, (of) => dataOf(api.GET('/api/v1/reports/alerts', asked(of, by)))),
    seesCorp(role) ? dataOf(api.GET('/api/v1/figures/people')) : undefined,
  ])
  return { adds, sales, relations, welcomes, alerts, people }
}
export type Reports = Awaited<ReturnType<typeof readReports>>

/** Malls sell, and nobody is added there. */
export async function readBreakdown(period: Period, by: Breakdown, currency: string) {
  const [adds, sales] = await Promise.all([by === 'DIMENSION_MALL' ? undefined : addsOf(period, by), salesOf(period, by, currency)])
  return { adds: adds?.rows ?? [], sales: sales.rows }
}
export type BrokenDown = Awaited<ReturnType<typeof readBreakdown>>

let departments: Promise<Map<string, string>> | undefined
let channels: Promise<Map<string, string>> | undefined

/** Key of a breakdown → what people call it. Read once; an employee goes by their userid, a mall by its id. */
export async function namesOf(by: Breakdown): Promise<Map<string, string>> {
  if (by === 'DIMENSION_STAFF' || by === 'DIMENSION_MALL') return new Map()
  return by === 'DIMENSION_CHANNEL' ? (channels ??= channelNames()) : (departments ??= departmentNames())
}

async function departmentNames(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  let pageToken = ''
  do {
    const page = await dataOf(api.GET('/api/v1/departments', { params: { query: { pageSize: 200, pageToken } } }))
    for (const one of page.departments) found.set(one.departmentId, one.name)
    pageToken = page.nextPageToken
  } while (pageToken)
  return found
}
