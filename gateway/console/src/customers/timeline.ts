import { t } from './words'
import { label } from '../api/catalogue'
import { api, dataOf, type Schemas } from '../api/client'
import { orderPath } from '../orders/address'
import { money } from '../parts/money'

type Customer = Schemas['Customer']
type Order = Schemas['Order']
type Alert = Schemas['Alert']
type Kind = 'good' | 'warn' | 'bad' | 'brand'

export interface Happening {
  key: string
  at: string
  text: string
  /** What it is about, softly. */
  about: string
  kind: Kind
  mark: string
  to?: string
}

const MOST_ASKED = 3
const MOST_SHOWN = 60
const sum = (of?: Schemas['Money']): string => (of ? money(of.amount, of.currency) : '')

/** The latest alerts about the customer, as far as the caller may see them. */
export async function alertsAbout(customer: Customer): Promise<Alert[]> {
  const contacts = customer.identifiers.filter((one) => one.kind === 'external_userid').slice(0, MOST_ASKED)
  const read = async (contactId: string): Promise<Alert[]> =>
    (await dataOf(api.GET('/api/v1/alerts', { params: { query: { contactId, pageSize: MOST_SHOWN } } }))).alerts
  return (await Promise.all(contacts.map((one) => read(one.identifierId)))).flat()
}

/** What is known of a customer, the newest first. */
export function timeline(customer: Customer, orders: Order[], alerts: Alert[]): Happening[] {
  const found: Happening[] = []
  const add = (key: string, at: string | undefined, mark: string, text: string, kind: Kind, about = '', to = ''): void => {
    if (at) found.push({ key, at, mark, text, kind, about, ...(to ? { to } : {}) })
  }
  for (const { userid, addedAt, endedAt } of customer.relations) {
    add(`began ${userid}`, addedAt, t('relations'), t('began', { userid }), 'brand')
    add(`ended ${userid}`, endedAt, t('relations'), t('ended', { userid }), 'bad')
  }
  for (const one of orders) {
    const name = `${one.mallId}/${one.orderId}`
    const to = orderPath(one)
    add(`ordered ${name}`, one.createdAt, t('ordered'), sum(one.total), 'brand', one.orderId, to)
    add(`paid ${name}`, one.paidAt, t('paid'), sum(one.paid), 'good', one.orderId, to)
    for (const refund of one.refunds) add(`refund ${refund.refundId}`, refund.at, t('refunded'), sum(refund.amount), 'warn', one.orderId, to)
  }
  for (const one of alerts) add(`alert ${one.alertId}`, one.at, label('AlertKind', one.kind), t('toldTo', { userid: one.userid }), 'brand')
  return found.sort((one, other) => Date.parse(other.at) - Date.parse(one.at) || other.key.localeCompare(one.key)).slice(0, MOST_SHOWN)
}
