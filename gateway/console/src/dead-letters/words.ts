import { words } from '../words'

export const t = words({
  zh: {
    title: '死信', about: '服务处理不了的事实、调用和排队的工作。什么都没有丢：修好原因后可以重放，确认无用的可以放弃。', service: '服务', durable: '处理者', type: '类型', reason: '原因', detail: '说明', at: '时间', factId: '编号',
    empty: '没有死信', replayAll: '全部重放', replay: '重放', giveUp: '放弃', sureReplay: '把这个服务的全部死信再处理一次？', sureGiveUp: '放弃后不再处理，只留作查看。确定？',
    sureReplayOf: '把“{durable}”的全部死信再处理一次？', sureReplayChosen: '把选中的 {n} 条再处理一次？', sureGiveUpChosen: '放弃选中的 {n} 条？之后不再处理，只留作查看。', replayFiltered: '重放筛选出的全部', gaveUp: '已放弃 {n} 条', chosen: '已选 {n} 条', chooseNone: '取消选择', byService: '各服务的死信', away: '答不上来', more: '{n}+',
    replayed: '已重放 {n} 条', remaining: '，还剩 {n} 条，请再点一次', outcome: '结果', waiting: '等待处理', REPLAYED: '已重放', GIVEN_UP: '已放弃', RESOLVED: '后来的事实已解决', fact: '内容', factAbout: '个人信息保持加密。', noFact: '内容无法解析，原始字节 {n} 个。',
    parked: '被隔离的处理者', parkedAbout: '连续失败十次后，本企业的事实先放在一边，其他企业不受影响。', since: '自 {at}', kept: '已存 {n} 条', release: '放行', releasing: '正在补处理', released: '已放行', giveUpKept: '放弃所存', sureGiveUpKept: '放弃为“{durable}”存下的 {n} 条事实？它们不再处理，只留作查看；处理者仍被隔离，之后可以放行。',
  },
  en: {
    title: 'Dead letters', about: 'Facts, calls and queued work that a service could not handle. Nothing is lost: replay them once the reason is mended, give up those of no use.', service: 'Service', durable: 'Handler', type: 'Type', reason: 'Reason', detail: 'Detail', at: 'When', factId: 'Id',
    empty: 'No dead letters', replayAll: 'Replay all', replay: 'Replay', giveUp: 'Give up', sureReplay: 'Handle all dead letters of this service once more?', sureGiveUp: 'It will not be handled any more, only kept to be looked at. Are you sure?',
    sureReplayOf: 'Handle all dead letters of “{durable}” once more?', sureReplayChosen: 'Handle the {n} chosen ones once more?', sureGiveUpChosen: 'Give up the {n} chosen ones? They are not handled any more, only kept to be looked at.', replayFiltered: 'Replay all that are filtered', gaveUp: '{n} given up', chosen: '{n} chosen', chooseNone: 'Choose none', byService: 'Dead letters by service', away: 'does not answer', more: '{n}+',
    replayed: '{n} replayed', remaining: ', {n} remain: click again', outcome: 'Outcome', waiting: 'Waits', REPLAYED: 'Replayed', GIVEN_UP: 'Given up', RESOLVED: 'Resolved by what came later', fact: 'Content', factAbout: 'Personal data stays sealed.', noFact: 'The content does not parse; {n} raw bytes.',
    parked: 'Parked handlers', parkedAbout: "After ten failures in a row this company's facts are set aside; other companies go on.", since: 'since {at}', kept: '{n} kept', release: 'Release', releasing: 'Catching up', released: 'Released', giveUpKept: 'Give up what is kept', sureGiveUpKept: 'Give up the {n} facts that are kept for “{durable}”? They are not handled any more, only kept to be looked at. The handler stays parked; you may release it then.',
  },
})

/** How a letter ended, in words; what this release does not know as it is. */
export function outcomeOf(outcome: string): string {
  switch (outcome) {
    case 'REPLAYED':
    case 'GIVEN_UP':
    case 'RESOLVED':
      return t(outcome)
    default:
      return outcome || t('waiting')
  }
}
