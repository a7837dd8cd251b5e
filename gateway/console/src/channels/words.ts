import { words } from '../words'

export const t = words({
  zh: {
    title: '渠道', about: '客户从哪里来。每个活码属于一个渠道，客户按第一次添加时的渠道计数。', name: '名称', nameHint: '1 到 60 个字，企业内不重复（含已归档的）',
    isDefault: '默认渠道', isDefaultText: '没有来源的添加计入这里', createdAt: '创建时间', create: '新建渠道', edit: '修改渠道', rename: '改名', empty: '还没有渠道',
    emptyText: '先建一个渠道，再为它生成活码。', id: '编号', shown: '显示', use: '使用中的', archived: '已归档', archive: '归档', restore: '恢复', liveCodes: '它的活码',
    adds: '添加次数', customers: '新客户', byDay: '最近 30 天的添加', byDayText: '按企业所在时区的自然日。添加次数含回流客户；新客户指第一次添加落在当天的人，一人只算一次。',
  },
  en: {
    title: 'Channels', about: 'Where customers come from. Each live code belongs to one; a customer counts where they were first added.', name: 'Name', nameHint: '1 to 60 characters, unique in the company, archived ones included',
    isDefault: 'Default', isDefaultText: 'takes adds that tell no origin', createdAt: 'Created', create: 'New channel', edit: 'Change channel', rename: 'Rename', empty: 'No channels yet',
    emptyText: 'Make a channel first, then a live code for it.', id: 'Id', shown: 'Show', use: 'In use', archived: 'Archived', archive: 'Archive', restore: 'Restore', liveCodes: 'Its live codes',
    adds: 'Adds', customers: 'New customers', byDay: 'Adds of the last 30 days', byDayText: 'By days in the company\'s zone. Adds include returning customers; a new customer is a person whose first add falls on the day, counted once.',
  },
})
