import { words } from '../words'

export const t = words({
  zh: {
    title: '任务', about: '导出等耗时的工作。每个服务最近的 50 个，结果文件保留一周。', name: '任务', kind: '种类', state: '状态', progress: '进度', rate: '速度', perSecond: '{n} 条/秒', estimate: '预计完成', createdAt: '创建时间', createdBy: '创建者',
    result: '结果', away: '{service} 现在答不上来，它的任务没有列出。', download: '下载', errors: '下载错误明细', cancel: '取消', empty: '还没有任务', emptyText: '在客户或订单列表点“导出”，就会出现在这里。', mine: '范围', onlyMine: '只看我的', all: '全部',
    'customer-export': '导出客户', 'order-export': '导出订单',
  },
  en: {
    title: 'Jobs', about: 'Exports and other long work: the last 50 of each service. Result files are kept for a week.', name: 'Job', kind: 'Kind', state: 'State', progress: 'Progress', rate: 'Rate', perSecond: '{n} a second', estimate: 'Expected end', createdAt: 'Created', createdBy: 'By',
    result: 'Result', away: '{service} does not answer now; its jobs are not listed.', download: 'Download', errors: 'Download the errors', cancel: 'Cancel', empty: 'No jobs yet', emptyText: 'Click “Export” in the list of customers or of orders: it shows here.', mine: 'Whose', onlyMine: 'Mine only', all: 'Everybody’s',
    'customer-export': 'Export of customers', 'order-export': 'Export of orders',
  },
})
