import { loadCatalogue } from './api/catalogue'
import { onSessionEnded } from './api/client'
import { asProblem } from './api/problem'
import { corps, loadMe, rememberedCorp, signInAddress } from './session'

export const insideWeCom = /wxwork/i.test(navigator.userAgent)

const LEFT_AT = 'bihuan.left-for-sign-in'
const SOON_MS = 20_000
const MOST_NEXT = 500
let leaving = false

/**
 * Lets somebody into a page that stands outside the console's frame. Who is not signed in is led through sign-in and
 * back; `stuck`: they have just been there, and it did not help.
 */
export async function enter(): Promise<'in' | 'leaving' | 'stuck'> {
  try {
    await loadMe()
  } catch (error) {
    if (asProblem(error).status !== 401) throw error
    if (Date.now() - Number(sessionStorage.getItem(LEFT_AT) ?? 0) < SOON_MS) return 'stuck'
    await leave()
    return 'leaving'
  }
  sessionStorage.removeItem(LEFT_AT)
  // Where even that is not answered, the page's next request tries again.
  onSessionEnded(() => void leave('ended').catch(console.warn))
  void loadCatalogue()
  return 'in'
}

// Whoever steps back out of sign-in finds the page as it was left.
window.addEventListener('pageshow', ({ persisted }) => persisted && leaving && window.location.reload())

/** To sign-in, from where it leads back to this page; `ended`: there was a session. */
export async function leave(ended?: 'ended'): Promise<void> {
  if (leaving) return
  leaving = true
  try {
    await go(ended)
  } catch (error) {
    leaving = false
    throw error
  }
}

async function go(ended?: 'ended'): Promise<void> {
  sessionStorage.setItem(LEFT_AT, String(Date.now()))
  const { pathname, search } = window.location
  const here = (pathname + search).length > MOST_NEXT ? pathname : pathname + search
  const all = await corps()
  // Where there are several corps, the page's own address may say which (`corp_id`), or they are asked.
  const known = new URLSearchParams(search).get('corp_id') ?? rememberedCorp()
  const corp = all.length === 1 ? all[0]?.corpId : all.find((one) => one.corpId === known)?.corpId
  // Inside WeCom it is known who somebody is.
  const direct = insideWeCom && corp
  const asked = new URLSearchParams({ next: here.replace(/^\/console/, ''), ...(ended ? { ended: '1' } : {}) })
  window.location.replace(direct ? signInAddress(corp, here) : `/console/sign-in?${asked}`)
}
