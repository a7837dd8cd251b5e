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
export type ChartKind = 'trend' | 'bar'

/** Colours that stay apart for colour-blind eyes, light and dark. */
const LIGHT = ['#1668c9', '#0b7a4b', '#b35c00', '#7a4fc0', '#a8305b']
const DARK = ['#6cabf5', '#58c893', '#f0a657', '#b698f0', '#f08bae']

export function optionOf(kind: ChartKind, data: ChartData, dark: boolean, format: (value: number) => string, short = format): EChartsCoreOption {
  const text = dark ? '#a5b1be' : '#56616e'
  const line = dark ? '#2d3743' : '#dfe4ea'
  const common: EChartsCoreOption = {
    color: dark ? DARK : LIGHT,
    animationDuration: 300,
    // Named, not inherited: the widths of labels are measured with it.
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    aria: { enabled: true },
    // Text in SVG: HTML would need inline styles, which the policy forbids.
    tooltip: { trigger: 'axis', renderMode: 'richText', valueFormatter: (value: unknown) => (typeof value === 'number' ? format(value) : '—') },
  }
  const category = { type: 'category', data: data.labels, axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: text, width: 120, overflow: 'truncate' } }
  // A long name is cut; the table below the chart has it whole.
  const value = { type: 'value', minInterval: 1, splitLine: { lineStyle: { color: line } }, axisLabel: { color: text, formatter: short } }
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
