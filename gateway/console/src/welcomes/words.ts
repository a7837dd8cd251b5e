import { words } from '../words'

export const t = words({
  zh: { title: '欢迎记录', about: '新好友的欢迎语是怎样结束的。不选结果时显示没有发出的；要看已发出的，请写明员工。', customer: '客户', nobody: '（还不知道称呼）', who: '员工', channel: '渠道', outcome: '结果', unsent: '没有发出的', why: '原因', took: '用时', seconds: '{n} 秒', at: '添加时间', since: '开始日期', until: '结束日期', leftOut: '少了 {n} 个附件', empty: '没有这样的欢迎', emptyText: '所有新好友都收到了欢迎语。', wecomSaid: '企业微信 {code}' },
  en: { title: 'Sent welcomes', about: 'How welcomes of new friends ended. Without an outcome those that were not sent; to see those that were, name the employee.', customer: 'Customer', nobody: '(name not known yet)', who: 'Employee', channel: 'Channel', outcome: 'Outcome', unsent: 'Not sent', why: 'Why', took: 'Took', seconds: '{n} s', at: 'Added', since: 'From', until: 'To', leftOut: 'without {n} attachments', empty: 'No such welcomes', emptyText: 'Every new friend was welcomed.', wecomSaid: 'WeCom {code}' },
})
