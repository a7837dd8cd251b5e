import { words } from '../words'

export const t = words({
  zh: {
    title: '概览', people: '客户', peopleAbout: '归并后的人数：同一个人的多个账号只算一个。', relations: '好友关系', relationsAbout: '现存的员工与客户的好友关系。',
    alerts: '提醒', alertsAbout: '客户付款、退款、添加或流失后，提醒到服务员工的次数，含仅展示的。', delivered: '其中已送达 {n}', welcomes: '已发欢迎语', welcomesAbout: '在企业微信规定的 20 秒内发出的欢迎语。', late: '超时 {n}',
    adds: '添加次数', addsAbout: '时段内客户被员工添加的次数，含回流客户。', addsBefore: '前期添加次数', newCustomers: '新客户', newCustomersAbout: '第一次添加落在时段内的人，一人只算一次。',
    gmv: '成交额', gmvAbout: '已付款订单的实付金额合计，含运费，未扣退款。', orders: '{n} 笔订单', refunded: '退款', refundedAbout: '已成功退回买家的金额合计。', net: '净成交额', netAbout: '成交额减去退款。',
    repurchase: '复购率', repurchaseAbout: '付过两次及以上的人数除以付过款的人数；还没有人付款时没有数值。', repeat: '{all} 人中 {n} 人复购',
    byDay: '每天的添加', byDayAbout: '按企业所在时区的自然日。虚线是前一个等长时段的同一天序。添加次数含回流客户；新客户指第一次添加落在当天的人，一人只算一次。',
    breakdown: '分布', breakdownBy: '分布方式', channelAbout: '按客户添加时的渠道。', employeeAbout: '按被添加的员工。点员工看其客户。', departmentAbout: '按被添加的员工所在的部门，含下级部门；在几个部门的员工，每个部门各算一次。',
    sinceTheBeginning: '开业至今',
  },
  en: {
    title: 'Overview', people: 'Customers', peopleAbout: 'People after merging: several accounts of one person count once.', relations: 'Friendships', relationsAbout: 'Living friendships between employees and customers.',
    alerts: 'Alerts', alertsAbout: 'How often an employee was told that a customer paid, was refunded, was added or left, those that are only shown included.', delivered: '{n} of them delivered', welcomes: 'Welcomes sent', welcomesAbout: 'Welcomes that went out inside the 20 seconds that WeCom allows.', late: '{n} too late',
    adds: 'Adds', addsAbout: 'How often customers were added in the period, returning ones included.', addsBefore: 'Adds before', newCustomers: 'New customers', newCustomersAbout: 'People whose first add falls into the period, each counted once.',
    gmv: 'GMV', gmvAbout: 'What was paid for paid orders, freight included, refunds not deducted.', orders: '{n} orders', refunded: 'Refunded', refundedAbout: 'What was given back to buyers.', net: 'Net', netAbout: 'GMV less refunds.',
    repurchase: 'Repurchase rate', repurchaseAbout: 'People who paid at least twice over people who paid; no value while nobody has.', repeat: '{n} of {all} people again',
    byDay: 'Adds by day', byDayAbout: "By days in the company's zone. Dashed: the period of the same length before, day by day. Adds include returning customers; a new customer is a person whose first add falls on the day, counted once.",
    breakdown: 'Breakdown', breakdownBy: 'Break down by', channelAbout: 'By the channel of the add.', employeeAbout: 'By the employee who was added; an employee leads to their customers.', departmentAbout: 'By the department of the employee, those below it included; an employee of several counts in each.',
    sinceTheBeginning: 'Since the beginning',
  },
})
