import { words } from '../words'

export const t = words({
  zh: {
    title: '分开的身份', about: '被声明“不是同一个人”的两个标识：无论什么证据把它们连在一起，都保持分开，直到撤销。', one: '标识', other: '另一个标识', note: '原因', declaredBy: '声明人', declaredAt: '时间', state: '状态', inForce: '生效中', undone: '已撤销', undo: '撤销', sureUndo: '撤销后，有证据的两个标识会重新合为一人。确定？',
    create: '声明分开', empty: '还没有分开的身份', emptyText: '系统把两个人当成一个人时，在客户页的“为什么是同一个人”里把他们分开。', idHint: '标识或客户的编号；填客户时取其最强的标识', noteHint: '1 到 500 个字，给以后查看的人',
    evidence: '为什么是同一个人', evidenceAbout: '每条证据说两个标识属于同一个人。撤回一条证据后，靠它才连在一起的标识会分成两个客户；来源再说一次也不再算数，直到恢复。', source: '来源', at: '最早', counts: '算数', revoked: '已撤回', revoke: '撤回', restore: '恢复', separate: '分开', sureRevoke: '撤回这条证据？靠它连在一起的客户会分开。', noEvidence: '没有证据', noEvidenceText: '这位客户只有一个标识，不需要证据。',
    wecom: '企业微信', mall: '商城消息', 'mall-buyer': '商城买家查询', 'externalcontact/get': '企业微信客户详情',
  },
  en: {
    title: 'Separations', about: 'Two identifiers that were declared not to be one person: whatever links them, they stay apart until this is undone.', one: 'Identifier', other: 'Another identifier', note: 'Why', declaredBy: 'By', declaredAt: 'When', state: 'State', inForce: 'In force', undone: 'Undone', undo: 'Undo', sureUndo: 'Undone, identifiers that evidence links become one person again. Are you sure?',
    create: 'Declare a separation', empty: 'No separations yet', emptyText: 'Where two people are taken for one, part them under “Why one person” on the customer’s page.', idHint: 'The id of an identifier or of a customer; of a customer the strongest identifier is taken', noteHint: '1 to 500 characters, for whoever looks later',
    evidence: 'Why one person', evidenceAbout: 'Each piece of evidence says that two identifiers are one person’s. Revoked, it parts what only it linked, and does not count when it is said again, until it is restored.', source: 'Source', at: 'First', counts: 'Counts', revoked: 'Revoked', revoke: 'Revoke', restore: 'Restore', separate: 'Separate', sureRevoke: 'Revoke this evidence? Customers that only it links part.', noEvidence: 'No evidence', noEvidenceText: 'This customer has one identifier, which needs none.',
    wecom: 'WeCom', mall: 'Mall message', 'mall-buyer': 'Mall’s buyer query', 'externalcontact/get': 'WeCom’s customer details',
  },
})
