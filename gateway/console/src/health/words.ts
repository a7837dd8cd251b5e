import { words } from '../words'

export const t = words({
  zh: {
    title: '健康', about: '各个服务自己说的：积压、死信、被隔离的事实、来源最后一次到达、企业微信配额。每 15 秒重读。', pending: '待处理 {n}', letters: '死信', lettersAbout: '处理不了、等人来看的事实（只数本企业）。',
    parked: '被隔离', parkedAbout: '因连续出错而先放在一边的本企业事实，其他企业不受影响。', outbox: '发件箱', outboxAbout: '已提交、尚未发布的事实里最早的一条等了多久。', idle: '没有等待', durables: '消费者', ok: '正常', broken: '断开', isParked: '已隔离',
    sources: '来源', never: '还没有来过', unknown: '现在不知道', busAway: '消息系统（NATS）现在不可用：积压、配额和来源的时间暂时不知道。', quotas: '企业微信配额', quota: '本分钟 {used} / {limit}', closed: '已被限流', away: '这个服务现在答不上来', callback: '回调 {id}', mall: '商城 {id}', seconds: '{n} 秒',
    unread: '昨天以来 {n} 条读不懂', unreadAbout: '这些消息还没有程序能读，已封存，等能读时补读。',
  },
  en: {
    title: 'Health', about: 'What each service says of itself: backlog, dead letters, parked facts, when sources last came, WeCom quotas. Read again every 15 seconds.', pending: '{n} waiting', letters: 'Dead letters', lettersAbout: 'Facts that could not be handled and wait for somebody (this company\'s).',
    parked: 'Parked', parkedAbout: 'This company\'s facts that were set aside after errors in a row; other companies go on.', outbox: 'Outbox', outboxAbout: 'How long the oldest fact that was committed has waited to be published.', idle: 'nothing waits', durables: 'Consumers', ok: 'OK', broken: 'broken', isParked: 'parked',
    sources: 'Sources', never: 'never yet', unknown: 'not known now', busAway: 'NATS is away: backlogs, quotas and when sources last came are not known now.', quotas: 'WeCom quotas', quota: '{used} of {limit} this minute', closed: 'limited', away: 'This service does not answer now', callback: 'callback {id}', mall: 'mall {id}', seconds: '{n} s',
    unread: '{n} unread since yesterday', unreadAbout: 'Nothing here can read these messages yet; they are kept until something can.',
  },
})
