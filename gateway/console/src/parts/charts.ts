import type { EChartsCoreOption } from 'echarts/core'

/** Values of one name over the same labels; null where it is undefined. */
export interface Series {
  name: string
  values: (number | null)[]
  /** To compare with: drawn behind, dashed and grey. */
  past?: boolean
}
export interface ChartData {
  labels: string[]
  series: Series[]
}
export type ChartKind = 'trend' | 'bar' | 'funnel'

/** Colours that stay apart for colour-blind eyes, light and dark. */
const LIGHT = ['#1668c9', '#0b7a4b', '#b35c00', '#7a4fc0', '#a8305b']
const DARK = ['#6cabf5', '#58c893', '#f0a657', '#b698f0', '#f08bae']

export function optionOf(kind: ChartKind, data: ChartData, dark: boolean, format: (value: number) => string): EChartsCoreOption {
  const text = dark ? '#a5b1be' : '#56616e'
  const line = dark ? '#2d3743' : '#dfe4ea'
  const common: EChartsCoreOption = {
    color: dark ? DARK : LIGHT,
    animationDuration: 300,
    // Named, not inherited: the widths of labels are measured with it.
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    aria: { enabled: true },
    // Text in SVG: HTML would need inline styles, which the policy forbids.
    tooltip: { trigger: kind === 'funnel' ? 'item' : 'axis', renderMode: 'richText', valueFormatter: (value: unknown) => (typeof value === 'number' ? format(value) : '—') },
  }
  if (kind === 'funnel') {
    const steps = data.labels.map((name, index) => ({ name, value: data.series[0]?.values[index] ?? 0 }))
    return {
      ...common,
      series: [{ type: 'funnel', sort: 'none', gap: 3, minSize: '8%', left: 8, right: 8, top: 8, bottom: 8, data: steps, label: { position: 'inside', color: dark ? '#0b1724' : '#fff', formatter: ({ name, value }: { name: string; value: number }) => `${name} ${format(value)}` } }],
    }
  }
  const category = { type: 'category', data: data.labels, axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: text, width: 120, overflow: 'truncate' } }
  // A long name is cut; the table below the chart has it whole.
  const value = { type: 'value', minInterval: 1, splitLine: { lineStyle: { color: line } }, axisLabel: { color: text, formatter: format } }
  const isBar = kind === 'bar'
  const past = { showSymbol: false, z: 1, lineStyle: { type: 'dashed', width: 1.5, color: text }, itemStyle: { color: text } }
  return {
    ...common,
    legend: { show: data.series.length > 1, top: 0, textStyle: { color: text } },
    grid: { left: 8, right: 16, top: data.series.length > 1 ? 36 : 12, bottom: 4, containLabel: true },
    xAxis: isBar ? value : { ...category, boundaryGap: false },
    yAxis: isBar ? { ...category, inverse: true } : value,
    series: data.series.map((one) => ({
      name: one.name,
      data: one.values,
      ...(isBar ? { type: 'bar', barMaxWidth: 18, itemStyle: { borderRadius: [0, 4, 4, 0] } } : { type: 'line', smooth: 0.2, connectNulls: false, ...(one.past ? past : { showSymbol: one.values.length < 40, areaStyle: { opacity: 0.08 } }) }),
    })),
  }
}
