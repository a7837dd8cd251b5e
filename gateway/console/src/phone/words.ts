import { words } from '../words'

export const t = words({
  zh: { title: '我的工作台', text: '手机上的提醒与客户。', alerts: '看提醒' },
  en: { title: 'My workbench', text: 'Alerts and customers on the phone.', alerts: 'To the alerts' },
})
