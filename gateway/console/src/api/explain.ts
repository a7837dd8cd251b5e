import type { Problem } from './problem'
import { language } from '../words'

/** What the API says that it expected → the same in Chinese. What stands in no line here is shown as the API says it. */
const CHINESE: [RegExp, string][] = [
  [/^a value$/, '必填'],
  [/^a value in the query$/, '必填'],
  [/^(\d+) to (\d+) characters$/, '$1 到 $2 个字'],
  [/^(\d+) to (\d+) bytes of UTF-8$/, '$1 到 $2 字节（一个汉字 3 字节）'],
  [/^at most (\d+) bytes of UTF-8$/, '最多 $1 字节（一个汉字 3 字节）'],
  [/^1 to (\d+) bytes when filled in$/, '填入姓名后为 1 到 $1 字节'],
  [/^at most (\d+)$/, '最多 $1 个'],
  [/^(\d+) to (\d+) userids$/, '$1 到 $2 名员工'],
  [/^(-?\d+) to (-?\d+)$/, '$1 到 $2'],
  [/^a whole number(, 0 or more)?$/, '整数'],
  [/^an RFC 3339 time$/, '一个日期'],
  [/^a time after since$/, '晚于开始日期'],
  [/^one value$/, '只填一个'],
  [/^text without NUL characters$/, '普通文字'],
  [/^an http or https address$/, '以 http:// 或 https:// 开头的网址'],
  [/^a name no other channel has$/, '与其他渠道不同的名称'],
  [/^a channel without a rule$/, '还没有欢迎语的渠道'],
  [/^a text that says something without names, too$/, '没有姓名时也读得通的文字'],
  [/^text, channelId, link, withoutLink, attachments or withoutAttachments$/, '至少改一处'],
  [/^at most (\d+), the link among them$/, '加上链接最多 $1 个'],
  [/^at most (\d+) bytes$/, '不超过 $1 字节'],
  [/^image\/jpeg or image\/png$/, 'JPG 或 PNG 图片'],
  [/^.*application\/pdf or .*$/, 'PDF、Office 文档、压缩包或图片'],
  [/^an employee, or only .+$/, '写明员工，或只看没有发出的'],
  [/^the id of a file of purpose .+$/, '先上传的文件'],
  [/^departments of the corp$/, '本企业的部门'],
  [/^an active member$/, '在职成员'],
  [/^another ADMIN, named first$/, '先指定另一位管理员'],
  [/^a UUID$/, '有效的编号'],
  [/^a value that a (\w+) can have$/, '这种标识可能有的值'],
  [/^another identifier, or another customer$/, '另一个标识或另一位客户'],
  [/^the id of an identifier or of a customer$/, '标识或客户的编号'],
  [/^a handler that is parked$/, '被隔离的处理者'],
  [/^one of (.+)$/, '以下之一：$1'],
]

/** Whole sentences for refusals that have no field, by their reason. */
const REASONS: Record<string, string> = {
  ROLE_NOT_ALLOWED: '你的角色不能做这件事。',
  WECOM_AWAY: '企业微信没有应答，请稍后再试。',
  WECOM_BUSY: '企业微信暂时不让我们再问，请稍后再试。',
  PUBLIC_URL_UNKNOWN: '系统还不知道自己的网址：请管理员为 identity 设置 GATEWAY_PUBLIC_URL。',
  BUS_AWAY: '消息系统暂时不可用，请稍后再试。',
  STORE_AWAY: '数据库暂时不可用，请稍后再试。',
  UNAVAILABLE: '服务暂时不可用，请稍后再试。',
  WORK_TIMED_OUT: '这次查询用时太久，请缩小范围再试。',
  INTERNAL: '服务器出错了，请稍后再试；若一直如此，请把请求编号告诉管理员。',
  IDEMPOTENCY_KEY_IN_USE: '同一请求正在处理，请稍候。',
}

/** What was expected of a field, in the reader's language. */
export function expectation(problem: Problem): string {
  const expected = problem.body.expected ?? ''
  if (language.value === 'en' || !expected) return expected
  const [pattern, chinese] = CHINESE.find(([one]) => one.test(expected)) ?? []
  return pattern && chinese ? expected.replace(pattern, chinese) : expected
}

/** What went wrong, in the reader's language as far as we have it. */
export const explanation = (problem: Problem): string =>
  (language.value === 'zh' ? REASONS[problem.reason] : undefined) ?? problem.message
