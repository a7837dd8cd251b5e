/** Which states of an order are good news. */
export const STATUSES = {
  ORDER_STATUS_PAID: 'good', ORDER_STATUS_SHIPPED: 'good', ORDER_STATUS_COMPLETED: 'good', ORDER_STATUS_CREATED: 'brand',
  ORDER_STATUS_PARTLY_REFUNDED: 'warn', ORDER_STATUS_REFUNDED: 'bad',
} as const
