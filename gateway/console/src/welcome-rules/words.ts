import { words } from '../words'

export const t = words({
  zh: { title: '欢迎语', about: '新好友在 20 秒内收到的第一句话。每个渠道一条；没有渠道的是默认欢迎语。', channel: '渠道', byDefault: '默认（没有自己规则的渠道）', text: '欢迎语', textHint: '可以用 {{ customer.name }} 和 {{ staff.name }}，两者都可能为空。', linkTitle: '链接标题', linkUrl: '链接地址', linkDescription: '链接说明', create: '新建欢迎语', edit: '编辑欢迎语', createdAt: '创建时间', revision: '版本', empty: '还没有欢迎语', emptyText: '没有规则时，新好友不会收到欢迎语。', preview: '预览', link: '链接' },
  en: { title: 'Welcomes', about: 'The first words that a new friend gets, inside 20 seconds. One per channel; the one without a channel is the default.', channel: 'Channel', byDefault: 'Default (channels without their own)', text: 'Welcome', textHint: '{{ customer.name }} and {{ staff.name }} may be used; either may be empty.', linkTitle: 'Title of the link', linkUrl: 'Address of the link', linkDescription: 'About the link', create: 'New welcome', edit: 'Edit welcome', createdAt: 'Created', revision: 'Revision', empty: 'No welcomes yet', emptyText: 'Without a rule a new friend gets no welcome.', preview: 'Preview', link: 'Link' },
})
