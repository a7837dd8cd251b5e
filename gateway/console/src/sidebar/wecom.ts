import { ensureAgentConfigReady, ensureCorpConfigReady, getContext, getCurExternalContact, register } from '@wecom/jssdk'
import { api, dataOf, type Schemas } from '../api/client'

/** WeCom does not take our signature, in its own words. */
export class SignatureRefused extends Error {}

/** What is open beside the page. `contact`: an external_userid; none outside a customer's chat or profile. */
export interface Opened {
  entry: string
  contact: string
}

const NEEDED = ['getContext', 'getCurExternalContact']

// register() begins by itself and lets its refusal go unheard; connect() hears it.
window.addEventListener('unhandledrejection', (event) => {
  if (wordsOf(event.reason)) event.preventDefault()
})
const wordsOf = (refusal: unknown): string =>
  refusal && typeof refusal === 'object' && 'errMsg' in refusal ? String(refusal.errMsg) : ''

const told = ({ timestamp, nonce, signature }: Schemas['PageSignature']) => ({ timestamp, nonceStr: nonce, signature })

/** config, then agentConfig. A refused ticket is asked for anew, once. Throws SignatureRefused or a Problem. */
export async function connect(): Promise<void> {
  const url = window.location.href.split('#')[0] ?? ''
  let refusedTicketIds: string[] = []
  for (const last of [false, true]) {
    const signed = await dataOf(api.POST('/api/v1/pages:sign', { body: { url, refusedTicketIds } }))
    register({
      corpId: signed.corpId,
      agentId: signed.agentId,
      jsApiList: NEEDED,
      getConfigSignature: () => told(signed.config),
      getAgentConfigSignature: () => told(signed.agentConfig),
    })
    try {
      await ensureCorpConfigReady()
      await ensureAgentConfigReady()
      return
    } catch (refusal) {
      if (last) throw new SignatureRefused(wordsOf(refusal) || String(refusal))
      refusedTicketIds = [signed.config.ticketId, signed.agentConfig.ticketId]
    }
  }
}

/** After `connect`. */
export async function whatIsOpen(): Promise<Opened> {
  const { entry } = await getContext()
  try {
    return { entry, contact: (await getCurExternalContact()).userId }
  } catch (refusal) {
    if (!wordsOf(refusal)) throw refusal
    return { entry, contact: '' }
  }
}
