import { words } from '../words'

export const t = words({
  zh: { title: '请在企业微信里打开', text: '侧边栏在企业微信的客户聊天中使用：打开与客户的聊天，点右上角的侧边栏图标。', console: '打开控制台' },
  en: { title: 'Open this inside WeCom', text: 'The sidebar belongs to a chat with a customer in WeCom: open the chat, then its sidebar at the top right.', console: 'Open the console' },
})
