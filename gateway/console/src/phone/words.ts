import { words } from '../words'

export const t = words({
  zh: {
    title: '我的工作台', alerts: '我的提醒', customers: '我的客户', console: '控制台', today: '今天', earlier: '更早', next: '下一步：', more: '再看一些', fresh: '收到 {n} 条新提醒',
    noAlerts: '还没有提醒', noAlertsText: '客户付款、退款、加好友或流失时，这里会立刻出现一条。', noCustomers: '还没有客户', noCustomersText: '加了你为好友的客户会出现在这里。',
    name: '按姓名查找', find: '查找', noneFound: '没有找到', noneFoundText: '按姓名的开头查找，例如“王”。',
    unnamed: '未读到名称', orders: '{n} 笔成交', addedAt: '添加于', stuck: '登录没有成功', stuckText: '刚刚登录过，但仍然没有登录状态。请确认没有禁用 Cookie，再试一次。', signIn: '重新登录',
  },
  en: {
    title: 'My workbench', alerts: 'My alerts', customers: 'My customers', console: 'Console', today: 'Today', earlier: 'Earlier', next: 'Next: ', more: 'Show more', fresh: '{n} new alerts',
    noAlerts: 'No alerts yet', noAlertsText: 'The moment a customer pays, is refunded, is added or is lost, it stands here.', noCustomers: 'No customers yet', noCustomersText: 'Customers who have added you appear here.',
    name: 'Find by name', find: 'Find', noneFound: 'Nobody found', noneFoundText: 'Names are found by how they begin.',
    unnamed: 'name not read yet', orders: '{n} paid orders', addedAt: 'added', stuck: 'Signing in did not succeed', stuckText: 'You have just signed in, and there is no session. Make sure that cookies are allowed, then try again.', signIn: 'Sign in again',
  },
})
