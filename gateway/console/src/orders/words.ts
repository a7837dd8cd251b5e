import { words } from '../words'

export const t = words({
  zh: {
    title: '订单', about: '商城推送来的订单；归属按付款时客户的好友关系与来源渠道。', orderId: '订单号', status: '状态', paid: '实付', refunded: '退款', total: '应付', userid: '归属员工', channel: '归属渠道', createdAt: '下单时间',
    paidAt: '付款时间', customer: '客户', open: '查看客户', nobody: '无', empty: '还没有订单', emptyText: '商城的订单一推送过来就会出现在这里。', mall: '商城', lines: '商品', quantity: '{n} 件', refunds: '退款记录', noRefunds: '没有退款',
    region: '收货地区', source: '来源', unnamed: '未命名商品', noLines: '商城没有给出商品', waits: '还不知道买家',
    paidSince: '付款自', paidUntil: '付款至', paidOnly: '按付款时间查看，不含未付款的订单。', unpaid: '未付款，应付 {total}',
    why: '归属与原因', byPayment: '看付款的那一刻：{at}。', byOrder: '还没有付款，暂看下单的那一刻：{at}；付款后重新判断。', buyerUnknown: '商城还没有说清买家是谁，因此归不到员工和渠道。',
    employeeRule: '那一刻仍是好友的员工里，最后添加的那位。', channelRule: '那一刻之前 {n} 个自然日内，最后一次带来这位客户的渠道。', friends: '{from} 添加，{to}', stillFriends: '仍是好友', noLonger: '{at} 结束', came: '{at} 到来',
    noRelations: '这位客户没有加过员工', noTouches: '这位客户没有经渠道来过', aChannel: '某个渠道',
    messages: '商城说过的', refundedKind: '退款', arrived: '{at} 才收到', noMessages: '这笔订单的消息早于留存',
  },
  en: {
    title: 'Orders', about: 'Orders that the mall has told; they belong to whoever was the buyer\'s friend, and to the channel that brought them, when they were paid.', orderId: 'Order', status: 'Status', paid: 'Paid', refunded: 'Refunded', total: 'To pay', userid: 'Employee', channel: 'Channel', createdAt: 'Ordered',
    paidAt: 'Paid at', customer: 'Customer', open: 'Open the customer', nobody: 'none', empty: 'No orders yet', emptyText: 'Orders appear here as soon as the mall tells of them.', mall: 'Mall', lines: 'Products', quantity: '× {n}', refunds: 'Refunds', noRefunds: 'No refunds',
    region: 'Region', source: 'Source', unnamed: 'Unnamed product', noLines: 'The mall names no products', waits: 'The buyer is not known yet',
    paidSince: 'Paid from', paidUntil: 'Paid to', paidOnly: 'By payment; unpaid orders are left out.', unpaid: 'Not paid, {total} to pay',
    why: 'Whose it is, and why', byPayment: 'What counts is the moment of the payment: {at}.', byOrder: 'Not paid yet: for now the moment of the order counts, {at}; the payment decides anew.', buyerUnknown: 'The mall has not said who the buyer is, so nobody and no channel can have earned it.',
    employeeRule: 'Of the employees who were friends at that moment, the one added last.', channelRule: 'The last channel that brought this customer, at most {n} days before.', friends: 'added {from}, {to}', stillFriends: 'still friends', noLonger: 'ended {at}', came: 'came {at}',
    noRelations: 'This customer never added an employee', noTouches: 'This customer never came through a channel', aChannel: 'a channel',
    messages: 'What the mall said', refundedKind: 'Refund', arrived: 'came only at {at}', noMessages: 'What the mall said of this order was before messages were kept',
  },
})
