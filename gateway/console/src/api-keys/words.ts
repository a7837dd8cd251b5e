import { words } from '../words'

export const t = words({
  zh: {
    title: 'API 密钥', about: '给程序用的钥匙，角色为“服务”。密钥只在创建时显示一次。', name: '用途', createdAt: '创建时间', state: '状态', active: '有效', revoked: '已吊销', revokedAt: '吊销于', revoke: '吊销', create: '新建密钥',
    make: '创建', cancel: '取消', empty: '还没有密钥', sure: '吊销“{name}”？使用它的程序会立刻被拒绝。', shownOnce: '请现在复制并妥善保存，离开后不再显示。', copy: '复制', copied: '已复制', close: '我已保存', nameHint: '1 到 60 个字：给谁用、做什么', key: '密钥',
  },
  en: {
    title: 'API keys', about: 'For programs; their role is “service”. A key is shown once, when it is made.', name: 'For', createdAt: 'Created', state: 'State', active: 'Valid', revoked: 'Revoked', revokedAt: 'Revoked', revoke: 'Revoke', create: 'New key',
    make: 'Create', cancel: 'Cancel', empty: 'No keys yet', sure: 'Revoke “{name}”? Programs that use it are refused at once.', shownOnce: 'Copy it now and keep it safe: it will not be shown again.', copy: 'Copy', copied: 'Copied', close: 'I have kept it', nameHint: '1 to 60 characters: for whom, and what for', key: 'Key',
  },
})
