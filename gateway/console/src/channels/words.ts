import { words } from '../words'

export const t = words({
  zh: { title: '渠道', about: '客户从哪里来。每个活码属于一个渠道，客户按第一次添加时的渠道计数。', name: '名称', nameHint: '1 到 60 个字，企业内不重复', isDefault: '默认渠道', isDefaultText: '没有来源的添加计入这里', createdAt: '创建时间', create: '新建渠道', empty: '还没有渠道', emptyText: '先建一个渠道，再为它生成活码。', id: '编号' },
  en: { title: 'Channels', about: 'Where customers come from. Each live code belongs to one; a customer counts where they were first added.', name: 'Name', nameHint: '1 to 60 characters, unique in the company', isDefault: 'Default', isDefaultText: 'takes adds that tell no origin', createdAt: 'Created', create: 'New channel', empty: 'No channels yet', emptyText: 'Make a channel first, then a live code for it.', id: 'Id' },
})
