/** What a list page is made of. */
export interface Column<Row> {
  key: string
  title: string
  /** What the cell says when the page gives it no slot, and what the CSV says. */
  text: (row: Row) => string
  numeric?: boolean
  /** It takes a line of its own where the screen is narrow. */
  wide?: boolean
  /** Its name in the API's `order_by`, where the API orders by it. */
  order?: string
}

export interface Filter {
  /** Its name in the API, and in the address. */
  key: string
  label: string
  /** day: `2026-11-25` in the address; the API gets the day's first moment in the corp's zone, or that of the next day. */
  kind: 'text' | 'choice' | 'day' | 'dayEnd'
  choices?: { value: string; label: string }[]
  /** What no choice is called; "all" without it. */
  unset?: string
}

export interface Asked {
  pageSize: number
  pageToken: string
  orderBy: string
  /** By key; only those that are set. */
  filters: Record<string, string>
}

export interface Answered<Row> {
  rows: Row[]
  nextPageToken: string
  /** How many there are, where the API counts; `more` when it stopped counting there. */
  total?: { count: number; more: boolean }
}

export type LoadList<Row> = (asked: Asked) => Promise<Answered<Row>>
