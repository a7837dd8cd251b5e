import { createApp, watch } from 'vue'
import 'element-plus/theme-chalk/dark/css-vars.css'
import './theme.css'
import App from './App.vue'
import { follow } from './api/stream'
import { router } from './router'
import { me } from './session'
import { applyTheme } from './theme'
import { language, speak } from './words'

applyTheme()
speak(language.value)
watch(
  () => (me.value?.userid ? `${me.value.corpId} ${me.value.userid} ${me.value.role}` : undefined),
  (who) => follow(who, me.value?.role === 'ROLE_ADMIN' ? 'corp' : 'own'),
)
createApp(App).use(router).mount('#app')
