import { createApp } from 'vue'
import '../theme.css'
import App from './App.vue'
import { applyTheme } from '../theme'
import { language, speak } from '../words'

applyTheme()
speak(language.value)
createApp(App).mount('#app')
