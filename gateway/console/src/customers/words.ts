import { words } from '../words'

export const t = words({
  zh: {
    title: '客户', about: '同一个人的多个账号归并为一位客户；你看到的是你有权看到的客户。', name: '客户', nameBegins: '名称开头', department: '部门', since: '首次出现自', until: '至', timeline: '动态', timelineAbout: '好友关系、最近订单，以及跟进员工收到的最近提醒', noTimeline: '还没有动态', began: '{userid} 添加了好友', ended: '与 {userid} 的好友关系结束', ordered: '下单', paid: '付款', refunded: '退款', toldTo: '已提醒 {userid}', unnamed: '未读到名称', follower: '跟进员工', relations: '好友关系', orders: '成交订单', net: '净成交额',
    createdAt: '首次出现', empty: '还没有客户', emptyText: '客户扫过活码、或在商城下过单，就会出现在这里。', why: '为什么是同一个人', identifiers: '账号', kind: '类型', value: '值', hidden: '已加密保存', id: '编号',
    addedAt: '添加于', endedAt: '已解除于', living: '好友中', noRelations: '没有好友关系', ordersOf: '订单', noOrders: '没有订单', none: '—',
  },
  en: {
    title: 'Customers', about: 'Several accounts of one person are one customer; these are the customers that you may see.', name: 'Customer', nameBegins: 'Name begins', department: 'Department', since: 'First seen from', until: 'to', timeline: 'Timeline', timelineAbout: 'Friendships, the latest orders, and the latest alerts of those who follow them', noTimeline: 'Nothing yet', began: '{userid} and they became friends', ended: 'Friendship with {userid} ended', ordered: 'Ordered', paid: 'Paid', refunded: 'Refunded', toldTo: '{userid} was told', unnamed: 'name not read yet', follower: 'Followed by', relations: 'Friendships', orders: 'Paid orders', net: 'Net paid',
    createdAt: 'First seen', empty: 'No customers yet', emptyText: 'Whoever scans a live code, or orders in the mall, appears here.', why: 'Why one person', identifiers: 'Accounts', kind: 'Kind', value: 'Value', hidden: 'kept sealed', id: 'Id',
    addedAt: 'Added', endedAt: 'Ended', living: 'friends', noRelations: 'No friendships', ordersOf: 'Orders', noOrders: 'No orders', none: '—',
  },
})

/** What a kind of identifier is called. */
export const KINDS: Record<string, { zh: string; en: string }> = {
  external_userid: { zh: '企业微信外部联系人', en: 'WeCom contact' }, unionid: { zh: '微信 unionid', en: 'WeChat unionid' }, openid: { zh: '微信 openid', en: 'WeChat openid' },
  yz_open_id: { zh: '有赞账号', en: 'Youzan account' }, phone: { zh: '手机号', en: 'Phone' },
}
