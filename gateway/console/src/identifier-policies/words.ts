import { words } from '../words'

export const t = words({
  zh: {
    title: '身份规则', about: '一种标识能证明什么：1、2 一定是同一个人；3、4 是一个人的账号；5 起可能多人共用。改动前会先试算，看多少客户会分开或合并。', kind: '标识', priority: '强弱', most: '一人最多', crowd: '一值最多人', denied: '不认的值', own: '来自', default: '默认', ownBy: '{by} 设定', values: '{n} 个',
    edit: '修改“{kind}”的规则', priorityHint: '1 到 9，越小越强', mostHint: '一个人最多有几个这种标识，1 到 100', crowdHint: '一个值连到多少人以后不再指认任何人，1 到 20；只对 5 起的共用标识有用', keepDenied: '保留现在的 {n} 个', replaceDenied: '换成下面的', deniedValues: '新的不认的值', deniedHint: '一行一个，例如公司总机；只保存为编号，之后看不到原值',
    sure: '试算结果：{split} 位客户会分开，{merged} 位会合并；{quarantined} 个值不再指认任何人，{freed} 个重新指认。{partial}确定保存？', partial: '（数量很多，只算了前一部分。）', notConfirmed: '没有保存：试算的结果没有得到确认。', level: '{n}（{meaning}）', strong: '一定是本人', account: '本人的账号', shared: '可能共用',
  },
  en: {
    title: 'Identifier policies', about: 'What a kind of identifier says: 1 and 2 are one person for certain, 3 and 4 are an account of one person, from 5 on people share it. A change is tried first, to tell how many customers part or become one.', kind: 'Identifier', priority: 'Strength', most: 'Most per person', crowd: 'Most persons', denied: 'Denied values', own: 'From', default: 'Default', ownBy: 'Set by {by}', values: '{n}',
    edit: 'Change the policy of “{kind}”', priorityHint: '1 to 9; lower is stronger', mostHint: 'How many of the kind one person may have, 1 to 100', crowdHint: 'How many persons one value may be linked to before it names nobody, 1 to 20; for shared kinds, from 5 on', keepDenied: 'Keep the present {n}', replaceDenied: 'Those below instead', deniedValues: 'New denied values', deniedHint: 'One a line, such as a switchboard’s number; kept as ids only, nobody sees them again',
    sure: 'Tried: {split} customers would part, {merged} become one with another; {quarantined} values would name nobody, {freed} name somebody again. {partial}Save?', partial: '(There are many; these are of the first.) ', notConfirmed: 'Not saved: what was tried was not confirmed.', level: '{n} ({meaning})', strong: 'one person for certain', account: 'one person’s account', shared: 'shared',
  },
})

export const meaningOf = (priority: number): string => t('level', { n: priority, meaning: t(priority < 3 ? 'strong' : priority < 5 ? 'account' : 'shared') })
