import { createRouter, createWebHistory } from 'vue-router'
import MyAlerts from './MyAlerts.vue'

export const router = createRouter({
  history: createWebHistory('/console/phone'),
  routes: [
    { path: '/', component: MyAlerts },
    { path: '/customers', component: () => import('./MyCustomers.vue') },
    { path: '/customers/:customerId', component: () => import('./OneCustomer.vue') },
    // Where alerts and app messages lead.
    { path: '/contacts/:contactId', component: () => import('./OneCustomer.vue') },
    { path: '/:rest(.*)*', redirect: '/' },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})
