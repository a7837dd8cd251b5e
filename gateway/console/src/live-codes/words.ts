import { words } from '../words'

export const t = words({
  zh: {
    title: '活码', about: '印出去的码不变，背后的员工随时可换；暂停后新添加计入默认渠道。', name: '名称', nameHint: '1 到 30 个字，也是企业微信里的备注', channel: '渠道', userids: '员工',
    useridsHint: '员工的 userid，用空格、逗号或换行分开，1 到 100 个', status: '状态', createdAt: '创建时间', create: '新建活码', edit: '修改活码', change: '修改', empty: '还没有活码',
    emptyText: '为一个渠道生成第一个活码，印出去就能用。', shown: '显示', use: '使用中的', archived: '已归档', archive: '归档', restore: '恢复', pause: '暂停', resume: '恢复使用', qr: '二维码', qrNone: '企业微信生成后就有',
    qrOf: '“{name}”的二维码', copyPicture: '复制图片', copyAddress: '复制地址', copied: '已复制', notCopied: '浏览器不允许复制图片，请下载', download: '下载图片', qrAway: '暂时读不到图片', again: '重试', open: '在企业微信打开', andMore: '{some} 等 {n} 人', syncing: '企业微信还没有收下最近的修改', failure: '企业微信说', state: '来源标识', id: '编号', pausedAt: '暂停于',
  },
  en: {
    title: 'Live codes', about: 'The printed code stays; the employees behind it change at any time. While paused, new adds count for the default channel.', name: 'Name', nameHint: '1 to 30 characters; also the remark in WeCom', channel: 'Channel', userids: 'Employees',
    useridsHint: 'Userids, with spaces, commas or new lines between, 1 to 100', status: 'Status', createdAt: 'Created', create: 'New live code', edit: 'Change live code', change: 'Change', empty: 'No live codes yet',
    emptyText: 'Make the first live code for a channel, and print it.', shown: 'Show', use: 'In use', archived: 'Archived', archive: 'Archive', restore: 'Restore', pause: 'Pause', resume: 'Resume', qr: 'QR code', qrNone: 'There as soon as WeCom has made it',
    qrOf: 'QR code of “{name}”', copyPicture: 'Copy the picture', copyAddress: 'Copy its address', copied: 'Copied', notCopied: 'The browser does not let pictures be copied; download it', download: 'Download the picture', qrAway: 'The picture cannot be read now', again: 'Try again', open: 'Open at WeCom', andMore: '{some} and others, {n} in all', syncing: 'WeCom has not taken the last change yet', failure: 'WeCom says', state: 'State', id: 'Id', pausedAt: 'Paused',
  },
})
