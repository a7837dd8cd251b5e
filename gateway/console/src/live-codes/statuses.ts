/** How each status looks. */
export const STATUSES = {
  LIVE_CODE_STATUS_ACTIVE: 'good', LIVE_CODE_STATUS_PENDING: 'brand', LIVE_CODE_STATUS_PAUSED: 'warn', LIVE_CODE_STATUS_FAILED: 'bad',
} as const
