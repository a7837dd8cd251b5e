import { reactive } from 'vue'
import type { Schemas } from '../api/client'
import { Problem, unanswered, type ProblemBody } from '../api/problem'

export type Attachment = Schemas['WelcomeAttachment']
export type Purpose = 'welcome-image' | 'welcome-file'

/** The link among them. */
export const MOST = 9
const FILES = '/api/v1/services/engagement/files'

/** A form's value is a text. */
export const written = (attachments: Attachment[]): string => (attachments.length ? JSON.stringify(attachments) : '')
export const readFrom = (value: string): Attachment[] => (value ? (JSON.parse(value) as Attachment[]) : [])

export const addressOf = (fileId: string): string => `${FILES}/${fileId}`

export async function upload(purpose: Purpose, file: File): Promise<string> {
  const query = new URLSearchParams({ purpose, name: file.name })
  const response = await fetch(`${FILES}?${query}`, { method: 'POST', body: file }).catch((error: unknown) => {
    throw unanswered(String(error))
  })
  const body = (await response.json().catch(() => undefined)) as { file: { fileId: string } } | ProblemBody | undefined
  if (!response.ok || !body) throw body && 'reason' in body ? new Problem(body) : unanswered(`HTTP ${response.status}`)
  const { fileId } = (body as { file: { fileId: string } }).file
  fileNames[fileId] = file.name
  return fileId
}

/** File id → what the file was called when it was brought, as far as it was asked for. */
export const fileNames = reactive<Record<string, string>>({})

export async function learnNames(attachments: Attachment[]): Promise<void> {
  for (const { file } of attachments) {
    if (!file || file.fileId in fileNames) continue
    const response = await fetch(addressOf(file.fileId), { method: 'HEAD' }).catch(() => undefined)
    const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(response?.headers.get('Content-Disposition') ?? '') ?? []
    fileNames[file.fileId] = encoded ? decodeURIComponent(encoded) : ''
  }
}
