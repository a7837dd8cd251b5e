import { words } from '../words'

export const t = words({
  zh: { title: '提醒', about: '客户刚刚做了什么，以及下一步可以做什么。新提醒会自动出现在最上面。', what: '发生了什么', kind: '类型', who: '员工', next: '下一步', at: '时间', status: '发送', since: '开始日期', until: '结束日期', empty: '还没有提醒', emptyText: '客户付款、退款、加好友或流失时，这里会立刻出现一条。', fresh: '收到 {n} 条新提醒' },
  en: { title: 'Alerts', about: 'What customers just did, and what may be done next. New ones appear on top by themselves.', what: 'What happened', kind: 'Kind', who: 'Employee', next: 'Next step', at: 'When', status: 'Sent', since: 'From', until: 'To', empty: 'No alerts yet', emptyText: 'The moment a customer pays, is refunded, is added or is lost, it stands here.', fresh: '{n} new alerts' },
})
