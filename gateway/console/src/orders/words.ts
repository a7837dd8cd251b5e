import { words } from '../words'

export const t = words({
  zh: {
    title: '订单', about: '商城推送来的订单；归属按付款时客户的好友关系与来源渠道。', orderId: '订单号', status: '状态', paid: '实付', refunded: '退款', total: '应付', userid: '归属员工', channel: '归属渠道', createdAt: '下单时间',
    paidAt: '付款时间', customer: '客户', open: '查看客户', nobody: '无', empty: '还没有订单', emptyText: '商城的订单一推送过来就会出现在这里。', mall: '商城', lines: '商品', quantity: '{n} 件', refunds: '退款记录', noRefunds: '没有退款',
    region: '收货地区', source: '来源', unnamed: '未命名商品', noLines: '商城没有给出商品', waits: '还不知道买家',
  },
  en: {
    title: 'Orders', about: 'Orders that the mall has told; they belong to whoever was the buyer\'s friend, and to the channel that brought them, when they were paid.', orderId: 'Order', status: 'Status', paid: 'Paid', refunded: 'Refunded', total: 'To pay', userid: 'Employee', channel: 'Channel', createdAt: 'Ordered',
    paidAt: 'Paid at', customer: 'Customer', open: 'Open the customer', nobody: 'none', empty: 'No orders yet', emptyText: 'Orders appear here as soon as the mall tells of them.', mall: 'Mall', lines: 'Products', quantity: '{n} pieces', refunds: 'Refunds', noRefunds: 'No refunds',
    region: 'Region', source: 'Source', unnamed: 'Unnamed product', noLines: 'The mall names no products', waits: 'The buyer is not known yet',
  },
})
