import { createApp, watch } from 'vue'
import 'element-plus/theme-chalk/dark/css-vars.css'
import './theme.css'
import App from './App.vue'
import { follow, type Seen } from './api/stream'
import { router } from './router'
import { me, type Role } from './session'
import { applyTheme } from './theme'
import { language, speak } from './words'

applyTheme()
speak(language.value)
const SEEN: Partial<Record<Role, Seen>> = { ROLE_ADMIN: 'corp', ROLE_FRONTLINE: 'own' }
watch(
  () => (me.value?.userid ? `${me.value.corpId} ${me.value.userid} ${me.value.role}` : undefined),
  (who) => follow(who, SEEN[me.value?.role ?? 'ROLE_UNSPECIFIED'] ?? 'more'),
)
createApp(App).use(router).mount('#app')
