/* Draws grouped bars as an SVG, by hand: no library, no script, no font but the reader's.
 *
 *   title                                   legend
 *   |      __         1.25 - - - - - - - - - - - -      One group per label, one bar per series in it; lines mark
 *   |  __ |  |  __    1.0  ------------------------      the values that matter. The scale starts at 0, as a scale
 *   | |  ||  | |  |                                      of ratios must.
 *   +--------------
 *       SET     GET
 *
 * It has no background, and its colours keep a contrast of 3:1 or more against both white and a dark page, so that one
 * file serves either. */
import type { Chart } from './suite.ts'

const WIDTH = 960
const LEFT_MIN = 48
const RIGHT = 56
const TOP = 84
const PLOT_HEIGHT = 260
const CHARACTER_WIDTH = 7 // Pixels at 12 px, for layout only: the reader's font decides.
const SLANT = 35 // Degrees.
const GROUP_FILL = 0.78 // Share of a group's width that its bars take.
const BAR_WIDTH_MAX = 64
const BAR_WIDTH_NARROW = 30 // A value needs this much to be written across its bar; it goes upwards otherwise.
const INK = '#6e7781'
const COLOURS = ['#3d85c6', '#cc5a2f', '#3c9a62', '#9a6dd0']
const TICKS_MAX = 8

interface Layout {
  left: number
  groupWidth: number
  slanted: boolean
  height: number
  /** The greatest value of the scale, and the distance between its ticks. */
  top: number
  step: number
}

export function drawChart(chart: Chart): string {
  const layout = layOut(chart)
  const body = [
    ...heading(chart),
    ...axis(layout),
    ...chart.groups.flatMap((group, index) => drawGroup(group, index, layout)),
    ...chart.lines.flatMap((line) => mark(line, layout)),
  ]
  return `${opening(chart.title, layout.height)}\n${body.map((line) => `  ${line}`).join('\n')}\n</svg>\n`
}

/** Labels that do not fit under their groups are slanted, and the first may then need more room to the left. */
function layOut(chart: Chart): Layout {
  const values = chart.groups.flatMap((group) => group.values).filter((value) => value !== null)
  const highest = Math.max(1, ...values, ...chart.lines.map((line) => line.value)) * 1.08
  const step = stepFor(highest)
  const count = Math.max(1, chart.groups.length)
  const longest = Math.max(0, ...chart.groups.map((group) => group.label.length)) * CHARACTER_WIDTH
  const slanted = longest > (WIDTH - LEFT_MIN - RIGHT) / count
  const radians = (SLANT * Math.PI) / 180
  const first = (chart.groups[0]?.label.length ?? 0) * CHARACTER_WIDTH * Math.cos(radians)
  const left = slanted ? Math.max(LEFT_MIN, first - (WIDTH - RIGHT) / count / 2) : LEFT_MIN
  const labelHeight = slanted ? longest * Math.sin(radians) + 32 : 36
  return {
    left: round(left),
    groupWidth: (WIDTH - left - RIGHT) / count,
    slanted,
    height: Math.ceil(TOP + PLOT_HEIGHT + labelHeight),
    top: Math.ceil(highest / step) * step,
    step,
  }
}

function yOf(value: number, layout: Layout): number {
  return TOP + PLOT_HEIGHT * (1 - value / layout.top)
}

function opening(title: string, height: number): string {
  const size = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`
  const font = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="12"'
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" ${font} fill="${INK}">
  <title>${escapeText(title)}</title>`
}

function heading(chart: Chart): string[] {
  const lines = [
    `<text x="${LEFT_MIN}" y="26" font-size="17" font-weight="600">${escapeText(chart.title)}</text>`,
    `<text x="${LEFT_MIN}" y="46">${escapeText(chart.subtitle)}</text>`,
  ]
  let x = LEFT_MIN
  for (const [index, name] of chart.series.entries()) {
    lines.push(`<rect x="${x}" y="56" width="12" height="12" rx="2" fill="${colourOf(index)}"/>`)
    lines.push(`<text x="${x + 18}" y="66">${escapeText(name)}</text>`)
    x += 40 + name.length * CHARACTER_WIDTH
  }
  return lines
}

function axis(layout: Layout): string[] {
  const { left, top, step } = layout
  const lines: string[] = []
  const decimals = step < 0.1 ? 2 : step < 1 ? 1 : 0
  for (let tick = 0; tick * step <= top + step / 2; tick++) {
    const y = round(yOf(tick * step, layout))
    lines.push(`<path d="M${left} ${y}H${WIDTH - RIGHT}" stroke="${INK}" stroke-opacity="0.22"/>`)
    const label = (tick * step).toFixed(decimals)
    lines.push(`<text x="${left - 8}" y="${round(y + 4)}" text-anchor="end">${label}</text>`)
  }
  return lines
}

function drawGroup(group: Chart['groups'][number], place: number, layout: Layout): string[] {
  const { left, groupWidth, slanted } = layout
  const middle = left + (place + 0.5) * groupWidth
  const count = group.values.length
  const barWidth = Math.min(BAR_WIDTH_MAX, (groupWidth * GROUP_FILL) / count)
  const lines: string[] = []
  for (const [index, value] of group.values.entries()) {
    if (value !== null) lines.push(...drawBar(value, middle + (index - count / 2) * barWidth, barWidth, index, layout))
  }
  const x = round(middle)
  const y = TOP + PLOT_HEIGHT + 18
  const anchor = slanted ? `text-anchor="end" transform="rotate(-${SLANT} ${x} ${y})"` : 'text-anchor="middle"'
  lines.push(`<text x="${x}" y="${y}" ${anchor}>${escapeText(group.label)}</text>`)
  return lines
}

/** The value stands at the foot of the bar, where no line crosses it. */
function drawBar(value: number, x: number, width: number, series: number, layout: Layout): string[] {
  const y = yOf(value, layout)
  const foot = yOf(0, layout)
  const shape = `x="${round(x)}" y="${round(y)}" width="${round(width - 1)}" height="${round(foot - y)}"`
  const bar = `<rect ${shape} rx="1.5" fill="${colourOf(series)}"/>`
  const narrow = width < BAR_WIDTH_NARROW
  if (width < 10 || foot - y < (narrow ? 34 : 18)) return [bar]
  const textX = round(x + (width - 1) / 2 + (narrow ? 4 : 0))
  const textY = round(foot - 7)
  const anchor = narrow ? `transform="rotate(-90 ${textX} ${textY})"` : 'text-anchor="middle"'
  const style = 'font-size="11" font-weight="600" fill="#fff"'
  return [bar, `<text x="${textX}" y="${textY}" ${anchor} ${style}>${value.toFixed(2)}</text>`]
}

function mark(line: Chart['lines'][number], layout: Layout): string[] {
  const y = round(yOf(line.value, layout))
  const dash = line.value === 1 ? '' : ' stroke-dasharray="6 4"'
  return [
    `<path d="M${layout.left} ${y}H${WIDTH - RIGHT}" stroke="${INK}" stroke-width="1.5"${dash}/>`,
    `<text x="${WIDTH - RIGHT + 6}" y="${round(y + 4)}" font-weight="600">${escapeText(line.label)}</text>`,
  ]
}

/** The smallest of 1, 2, 5 times a power of ten that needs no more than TICKS_MAX ticks. */
function stepFor(top: number): number {
  for (let power = 0.01; ; power *= 10) {
    for (const factor of [1, 2, 5]) if (top / (power * factor) <= TICKS_MAX) return power * factor
  }
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length]!
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
