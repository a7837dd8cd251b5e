import { words } from '../words'

export const t = words({
  zh: {
    title: '概览', people: '客户', peopleAbout: '归并后的人数：同一个人的多个账号只算一个。', relations: '好友关系', relationsAbout: '时段最后一天结束时现存的员工与客户的好友关系。', began: '时段内新增 {n}', lost: '流失', byCustomer: '其中客户删除 {n}', lostAbout: '时段内结束的好友关系，不论由哪一方删除。',
    alerts: '提醒', alertsAbout: '时段内客户付款、退款、添加或流失后，提醒到服务员工的次数，含仅展示的。', delivered: '其中已送达 {n}', welcomes: '已发欢迎语', welcomesAbout: '时段内收到的添加中，在企业微信规定的 20 秒内发出的欢迎语，按添加到达本系统的日期。', late: '超时 {n}',
    adds: '添加次数', addsAbout: '时段内客户被员工添加的次数，含回流客户。', addsBefore: '前期添加次数', newCustomers: '新客户', newCustomersAbout: '第一次添加落在时段内的人，一人只算一次。',
    gmv: '成交额', gmvAbout: '时段内付款的订单的实付金额合计，含运费，未扣退款。', gmvBefore: '前期成交额', refunded: '退款', refundedAbout: '时段内成功退回买家的金额合计，不论订单何时付款。', net: '净成交额', netAbout: '成交额减去退款；退得更多时为负。',
    paidOrders: '付款订单', paidOrdersAbout: '时段内付款的订单数。客单价是成交额除以付款订单数。', average: '客单价 {value}', buyers: '付款客户', buyersAbout: '时段内付过款的人数，归并后一人只算一次。', repeatBuyersAbout: '时段内付过两次及以上的人数。', addsStep: '添加', newCustomersStep: '第一次添加', buyersStep: '付款', repeatBuyersStep: '再次付款',
    repurchase: '复购率', repurchaseAbout: '时段内付过两次及以上的人数除以付过款的人数；还没有人付款时没有数值。', repeat: '{all} 人中 {n} 人复购', currency: '币种',
    addsByDay: '每天的添加', addsByDayAbout: '按企业所在时区的自然日。虚线是前一个等长时段的同一天序。添加次数含回流客户；新客户指第一次添加落在当天的人，一人只算一次。',
    salesByDay: '每天的成交', salesByDayAbout: '按企业所在时区的自然日，成交额按付款时间，退款按退款时间。虚线是前一个等长时段的同一天序。',
    funnel: '转化', funnelAbout: '从添加到复购，各步都只看这个时段；付款的人可能早已添加，所以各步不是同一批人。',
    breakdown: '分布', breakdownBy: '分布方式', channelAbout: '按客户添加时的渠道。', employeeAbout: '按被添加的员工。点员工看其客户。', departmentAbout: '按被添加的员工所在的部门，含下级部门；在几个部门的员工，每个部门各算一次。', mallAbout: '按下单的商城。', nobody: '没有归属',
  },
  en: {
    title: 'Overview', people: 'Customers', peopleAbout: 'People after merging: several accounts of one person count once.', relations: 'Friendships', relationsAbout: 'Friendships between employees and customers that were alive at the end of the last day of the period.', began: '{n} began in the period', lost: 'Lost', byCustomer: '{n} ended by customers', lostAbout: 'Friendships that ended in the period, whoever ended them.',
    alerts: 'Alerts', alertsAbout: 'How often in the period an employee was told that a customer paid, was refunded, was added or left, those that are only shown included.', delivered: '{n} of them delivered', welcomes: 'Welcomes sent', welcomesAbout: 'Welcomes that went out inside the 20 seconds that WeCom allows, by the day on which the add arrived here.', late: '{n} too late',
    adds: 'Adds', addsAbout: 'How often customers were added in the period, returning ones included.', addsBefore: 'Adds before', newCustomers: 'New customers', newCustomersAbout: 'People whose first add falls into the period, each counted once.',
    gmv: 'GMV', gmvAbout: 'What was paid for orders paid in the period, freight included, refunds not deducted.', gmvBefore: 'GMV before', refunded: 'Refunded', refundedAbout: 'What was given back to buyers in the period, whenever the order was paid.', net: 'Net', netAbout: 'GMV less refunds; below zero when more was given back.',
    paidOrders: 'Paid orders', paidOrdersAbout: 'Orders paid in the period. The average order is GMV over paid orders.', average: '{value} on average', buyers: 'Buyers', buyersAbout: 'People who paid in the period, each counted once after merging.', repeatBuyersAbout: 'People who paid at least twice in the period.', addsStep: 'Added', newCustomersStep: 'Added first', buyersStep: 'Paid', repeatBuyersStep: 'Paid again',
    repurchase: 'Repurchase rate', repurchaseAbout: 'People who paid at least twice in the period over people who paid; no value while nobody has.', repeat: '{n} of {all} people again', currency: 'Currency',
    addsByDay: 'Adds by day', addsByDayAbout: "By days in the company's zone. Dashed: the period of the same length before, day by day. Adds include returning customers; a new customer is a person whose first add falls on the day, counted once.",
    salesByDay: 'Sales by day', salesByDayAbout: "By days in the company's zone: GMV by when it was paid, refunds by when they were given. Dashed: the period of the same length before, day by day.",
    funnel: 'Conversion', funnelAbout: 'From the add to the second payment, each step within the period alone: who paid may have been added long before, so they are not the same people.',
    breakdown: 'Breakdown', breakdownBy: 'Break down by', channelAbout: 'By the channel of the add.', employeeAbout: 'By the employee who was added; an employee leads to their customers.', departmentAbout: 'By the department of the employee, those below it included; an employee of several counts in each.', mallAbout: 'By the mall of the order.', nobody: 'Earned by nobody',
  },
})
