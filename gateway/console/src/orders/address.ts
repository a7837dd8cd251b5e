/** Where an order's page is, in the console. A mall may number its orders as it likes. */
export const orderPath = ({ mallId, orderId }: { mallId: string; orderId: string }): string =>
  `/orders/${encodeURIComponent(mallId)}/${encodeURIComponent(orderId)}`
