import type { Column } from './list'

/** A program that opens it would take these for a formula. */
const FORMULA = /^[=+\-@＝＋－＠\t\r\n]/

function cell(text: string): string {
  const safe = FORMULA.test(text) && !/^-?[\d.,]+$/.test(text) ? "'" + text : text
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** With a byte order mark, without which spreadsheets read Chinese wrongly. */
export function toCsv<Row>(columns: Column<Row>[], rows: Row[]): string {
  const lines = [columns.map((one) => cell(one.title)), ...rows.map((row) => columns.map((one) => cell(one.text(row))))]
  return '\ufeff' + lines.map((line) => line.join(',')).join('\r\n') + '\r\n'
}

export function download(name: string, text: string, type = 'text/csv;charset=utf-8'): void {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}
