import { words } from '../words'

export const t = words({
  zh: {
    title: '请在企业微信里打开', text: '侧边栏在企业微信的客户聊天中使用：打开与客户的聊天，点右上角的侧边栏图标。', console: '打开控制台', workbench: '打开工作台',
    stuck: '登录没有成功', stuckText: '刚刚登录过，但仍然没有登录状态。请确认没有禁用 Cookie，再试一次。', signIn: '重新登录', again: '再试一次',
    refused: '企业微信没有接受这个页面', refusedText: '企业微信拒绝了页面签名，所以不知道当前是哪位客户。请让管理员检查应用的可信域名、可信 IP 和密钥。',
    group: '这是群聊', groupText: '请打开与一位客户的单聊。', nobody: '这里没有客户', nobodyText: '请从与客户的聊天，或客户的资料页打开侧边栏。',
  },
  en: {
    title: 'Open this inside WeCom', text: 'The sidebar belongs to a chat with a customer in WeCom: open the chat, then its sidebar at the top right.', console: 'Open the console', workbench: 'Open the workbench',
    stuck: 'Signing in did not succeed', stuckText: 'You have just signed in, and there is no session. Make sure that cookies are allowed, then try again.', signIn: 'Sign in again', again: 'Try again',
    refused: 'WeCom did not take this page', refusedText: 'WeCom refused the signature of the page, so nobody knows which customer this is. Ask an administrator to check the app\'s trusted domain, trusted addresses and secret.',
    group: 'This is a group chat', groupText: 'Open a chat with one customer.', nobody: 'There is no customer here', nobodyText: 'Open the sidebar from a chat with a customer, or from their profile.',
  },
})
