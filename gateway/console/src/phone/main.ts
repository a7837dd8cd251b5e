import { createApp } from 'vue'
import 'element-plus/theme-chalk/dark/css-vars.css'
import '../theme.css'
import App from './App.vue'
import { router } from './router'
import { followMe } from '../follow'
import { applyTheme } from '../theme'
import { language, speak } from '../words'

applyTheme()
speak(language.value)
followMe()
createApp(App).use(router).mount('#app')
