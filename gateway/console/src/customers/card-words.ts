import { words } from '../words'

export const t = words({
  zh: {
    unknown: '还看不到这位客户', unknownText: '可能还没有同步到，也可能不在你的名下。同步到后这里会自动显示。', again: '再试一次', unnamed: '未读到名称', fresh: '有 {n} 条新动态',
    mine: '我的好友', lost: '已不是好友', notMine: '不是我的好友', noDeal: '未成交', firstDeal: '已首购', repeatDeal: '已复购', orders: '成交订单', ordersMeans: '这位客户所有账号付过款的订单数，全额退款的也算。',
    net: '净成交额', netMeans: '实付减去已退款，不含未付款订单。', next: '下一步', because: '因为：', happened: '刚刚发生', nothing: '还没有动态', latest: '最近订单', noOrders: '没有订单', relation: '关系', since: '成为好友：', ended: '解除好友：',
    with: '还有这些同事是好友：{who}', noRelation: '没有同事是这位客户的好友', whole: '查看完整客户资料',
  },
  en: {
    unknown: 'This customer cannot be seen yet', unknownText: 'They may not be synchronised yet, or they are not among yours. Once they are, they appear here by themselves.', again: 'Try again', unnamed: 'name not read yet', fresh: '{n} new things happened',
    mine: 'my friend', lost: 'no friend any more', notMine: 'not my friend', noDeal: 'no order yet', firstDeal: 'bought once', repeatDeal: 'bought again', orders: 'Paid orders', ordersMeans: 'Paid orders of all accounts of this customer, those refunded in full included.',
    net: 'Net paid', netMeans: 'What was paid, refunds deducted; unpaid orders are left out.', next: 'Next step', because: 'Because: ', happened: 'Just happened', nothing: 'Nothing yet', latest: 'Latest orders', noOrders: 'No orders', relation: 'Relation', since: 'Friends since', ended: 'Ended on',
    with: 'Also friends with: {who}', noRelation: 'Nobody here is a friend of this customer', whole: 'The whole customer',
  },
})
