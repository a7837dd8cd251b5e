import type { Problem } from './problem'
import { language, say, words, type Both } from '../words'

const t = words({
  zh: { expected: '应为 {text}', template: '模板有误：{text}', templateAt: '模板有误（第 {line} 行第 {column} 个字）：{text}' },
  en: { expected: 'Expected {text}', template: 'The template is wrong: {text}', templateAt: 'The template is wrong (line {line}, character {column}): {text}' },
})

/** What the API says that it expected → the same in Chinese. What stands in no line here is shown as the API says it. */
const CHINESE: [RegExp, string][] = [
  [/^(\d+) to (\d+) characters$/, '$1 到 $2 个字'],
  [/^(\d+) to (\d+) bytes of UTF-8$/, '$1 到 $2 字节（一个汉字 3 字节）'],
  [/^at most (\d+) bytes of UTF-8$/, '最多 $1 字节（一个汉字 3 字节）'],
  [/^1 to (\d+) bytes when filled in$/, '填入姓名后为 1 到 $1 字节'],
  [/^at most (\d+)$/, '最多 $1 个'],
  [/^(\d+) to (\d+) userids$/, '$1 到 $2 名员工'],
  [/^(-?\d+) to (-?\d+)$/, '$1 到 $2'],
  [/^a whole number(, 0 or more)?$/, '整数'],
  [/^an RFC 3339 time$/, '一个日期'],
  [/^a time after (since|paidSince)$/, '晚于开始日期'],
  [/^at most (\d+) days$/, '不超过 $1 天'],
  [/^(\d{4}-\d\d-\d\d) or later$/, '$1 或更晚'],
  [/^a day between (\d+) and (\d+) as YYYY-MM-DD$/, '$1 到 $2 年间的一天'],
  [/^text without NUL characters$/, '普通文字'],
  [/^an http or https address$/, '以 http:// 或 https:// 开头的网址'],
  [/^a name no other channel has.*$/, '与其他渠道（包括已归档的）不同的名称'],
  [/^a channel in use$/, '没有归档的渠道'],
  [/^a channel that is not the default one$/, '默认渠道以外的渠道'],
  [/^a code that is not archived$/, '没有归档的活码'],
  [/^a rule that applies$/, '没有归档的欢迎语'],
  [/^a channel without a rule$/, '还没有欢迎语的渠道'],
  [/^a text that says something without names, too$/, '没有姓名时也读得通的文字'],
  [/^at most (\d+), the link among them$/, '加上链接最多 $1 个'],
  [/^at most (\d+) bytes$/, '不超过 $1 字节'],
  [/^at most (\d+) MB$/, '不超过 $1 MB'],
  [/^image\/jpeg or image\/png$/, 'JPG 或 PNG 图片'],
  [/^.*application\/pdf or .*$/, 'PDF、Office 文档、压缩包或图片'],
  [/^the id of a file of purpose .+$/, '先上传的文件'],
  [/^departments of the corp$/, '本企业的部门'],
  [/^an active member$/, '在职成员'],
  [/^a UUID$/, '有效的编号'],
  [/^a value that a (\w+) can have$/, '这种标识可能有的值'],
  [/^another identifier, or another customer$/, '另一个标识或另一位客户'],
  [/^the id of an identifier or of a customer$/, '标识或客户的编号'],
  [/^a handler that is parked$/, '被隔离的处理者'],
  [/^one of (.+)$/, '以下之一：$1'],
]

/** What is no thing but something to do: a sentence of its own. */
const CHINESE_SENTENCES: [RegExp, string][] = [
  [/^a value( in the query)?$/, '必填'],
  [/^one value$/, '只填一个'],
  [/^text, channelId, link, withoutLink, attachments or withoutAttachments$/, '请至少改一处'],
  [/^name( or userids)?$/, '请至少改一处'],
  [/^an employee, or only .+$/, '请写明员工，或只看没有发出的'],
  [/^another ADMIN, named first$/, '请先指定另一位管理员'],
  [/^no values where those denied before are kept$/, '保留现在的值时，不要再填新的值'],
]

/** Whole sentences for refusals, by their reason. */
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
  TOO_MANY_JOBS: '你还没有结束的任务太多了：请等一等，或取消一个。',
  JOB_ENDED: '这个任务已经结束了。',
  FILE_NOT_FOUND: '文件已经不在了：结果文件只保留一周。',
  FILES_AWAY: '文件存储没有应答，请稍后再试。',
  IDENTITY_AWAY: '身份服务没有应答，请稍后再试。',
}

/** What says too little in either language. */
const PLAINER: [RegExp, Both][] = [
  [/^ID_MALFORMED$/, { zh: '编号不完整，或者写错了。', en: 'The id is incomplete or misspelt.' }],
  [/_NOT_FOUND$/, { zh: '没有找到：它可能已经不在了，或者链接写错了。', en: 'Not found: it may be gone, or the link is misspelt.' }],
]
// What the template engine says: its message, the whole template, where, and the line again.
const TEMPLATE = /^the template does not work: ([^]+?)(?:\s+-> [^]*?' (\d+):(\d+)\s[^]*)?$/
const MEGABYTE = 1024 * 1024

const inChinese = (table: [RegExp, string][], text: string): string | undefined => {
  const [pattern, chinese] = table.find(([one]) => one.test(text)) ?? []
  return pattern && chinese ? text.replace(pattern, chinese) : undefined
}

/** What was expected, as a sentence. */
function expectation(expected: string): string {
  const text = expected.replace(/^at most (\d+) bytes$/, (whole, bytes: string) =>
    Number(bytes) % MEGABYTE ? whole : `at most ${Number(bytes) / MEGABYTE} MB`,
  )
  if (language.value === 'en') return t('expected', { text })
  return inChinese(CHINESE_SENTENCES, text) ?? t('expected', { text: inChinese(CHINESE, text) ?? text })
}

function ofTemplate(message: string): string {
  const [, text, line, column] = TEMPLATE.exec(message) ?? []
  if (!text) return message
  return line && column ? t('templateAt', { text, line, column }) : t('template', { text })
}

/** What went wrong, as a sentence in the reader's language as far as we have it. */
export function explanation(problem: Problem): string {
  const whole = language.value === 'zh' ? REASONS[problem.reason] : undefined
  if (whole) return whole
  const plainer = PLAINER.find(([reason]) => reason.test(problem.reason))
  if (plainer) return say(plainer[1])
  if (problem.reason === 'TEMPLATE_WRONG') return ofTemplate(problem.message)
  return problem.body.expected ? expectation(problem.body.expected) : problem.message
}
