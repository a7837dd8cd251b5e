import { nextTick, watch } from 'vue'
import { createRouter, createWebHistory } from 'vue-router'
import { onSessionEnded } from './api/client'
import { loadCatalogue } from './api/catalogue'
import { asProblem } from './api/problem'
import { PAGES, START, type Page } from './pages'
import { loadMe, me, type Me } from './session'
import { language, say } from './words'

declare module 'vue-router' {
  interface RouteMeta {
    page?: Page
    /** Seen by anybody, signed in or not. */
    open?: boolean
  }
}

export const mayOpen = (page: Page, who: Me): boolean => page.roles.includes(who.role)
export const firstPage = (who: Me): string => START[who.role] ?? PAGES.find((page) => mayOpen(page, who))?.path ?? '/forbidden'

export const router = createRouter({
  history: createWebHistory('/console/'),
  routes: [
    { path: '/', component: () => import('./parts/NotFound.vue'), beforeEnter: () => (me.value ? firstPage(me.value) : true) },
    { path: '/sign-in', component: () => import('./sign-in/SignIn.vue'), meta: { open: true } },
    ...PAGES.map((page) => ({ path: page.path, component: page.load, meta: { page } })),
    { path: '/forbidden', component: () => import('./parts/Forbidden.vue') },
    { path: '/:rest(.*)*', component: () => import('./parts/NotFound.vue') },
  ],
  scrollBehavior: (_to, from, saved) => saved ?? (from.path === _to.path ? false : { top: 0 }),
})

router.beforeEach(async (to) => {
  if (to.meta.open) return true
  if (!me.value) {
    try {
      await loadMe()
    } catch (error) {
      if (asProblem(error).status === 401) return { path: '/sign-in', query: { next: to.fullPath } }
      throw error
    }
    void loadCatalogue()
  }
  // A kept link to what one may not do: said, not shown. The server refuses it anyway.
  if (to.meta.page && me.value && !mayOpen(to.meta.page, me.value)) return { path: '/forbidden', query: { from: to.fullPath } }
  return true
})

function entitle(): void {
  const page = router.currentRoute.value.meta.page
  document.title = `${page ? say(page.title) + ' · ' : ''}闭环 Bihuan`
}
router.afterEach((to, from) => {
  entitle()
  // Readers of the screen go on at the new page, not at the link that led to it.
  if (from.matched.length && to.path !== from.path) void nextTick(() => document.getElementById('content')?.focus({ preventScroll: true }))
})
watch(language, entitle)

onSessionEnded(() => {
  if (!me.value) return
  const here = router.currentRoute.value
  me.value = undefined
  if (!here.meta.open) void router.replace({ path: '/sign-in', query: { next: here.fullPath, ended: '1' } })
})
