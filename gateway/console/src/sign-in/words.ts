import { words } from '../words'

export const t = words({
  zh: {
    title: '登录闭环',
    about: '用企业微信身份登录，权限随成员走。',
    corp: '企业',
    go: '企业微信登录',
    ended: '登录已失效，请重新登录；登录后会回到刚才的页面。',
    refused: '这次登录没有成功：{text}',
    NOT_A_MEMBER: '你不在该应用的可见范围内，请联系管理员。',
    SIGN_IN_FOREIGN: '登录已过期，或不是从这个浏览器开始的，请再试一次。',
    other: '{reason}，请再试一次',
  },
  en: {
    title: 'Sign in to Bihuan',
    about: 'With your WeCom identity; what you may do comes with it.',
    corp: 'Company',
    go: 'Sign in with WeCom',
    ended: 'Your session is over. Sign in again and you are back on the same page.',
    refused: 'That sign-in did not succeed: {text}',
    NOT_A_MEMBER: 'you are not among those whom the app is visible to; ask an administrator.',
    SIGN_IN_FOREIGN: 'it was over, or not begun in this browser; try again.',
    other: '{reason}; try again',
  },
})
