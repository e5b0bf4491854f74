/* The process title: proc-title-template with its variables filled in.
 *
 * `{name}` stands for a variable, `{{` for a brace. A template is valid when it names known variables only and leaves
 * something to show even where the title itself is empty. */
import { basename } from 'node:path'
import type { Config } from './config.ts'
import type { Surroundings } from './directive.ts'
import type { DirectiveName } from './directives.ts'

/** The title, or undefined for an ill-formed template. `title` is the program's own name. */
function expandProcTitle(
  template: string,
  title: string,
  shown: (name: string) => string,
  configFile: string | undefined,
): string | undefined {
  let out = ''
  let at = 0
  for (let open = template.indexOf('{'); open >= 0; open = template.indexOf('{', at)) {
    out += template.slice(at, open)
    if (template[open + 1] === '{') {
      out += '{'
      at = open + 2
      continue
    }
    const close = template.indexOf('}', open)
    if (close < 0) return undefined
    const value = variable(template.slice(open + 1, close), title, shown, configFile)
    if (value === undefined) return undefined
    out += value
    at = close + 1
  }
  return (out + template.slice(at)).replace(/^ +| +$/g, '')
}

function variable(
  name: string,
  title: string,
  shown: (name: string) => string,
  configFile: string | undefined,
): string | undefined {
  switch (name) {
    case 'title':
      return title
    case 'listen-addr':
      return listenAddress(shown)
    case 'server-mode':
      return shown('cluster-enabled') === 'yes' ? '[cluster]' : ''
    case 'config-file':
      return configFile ?? '-'
    case 'port':
    case 'tls-port':
    case 'unixsocket':
      return shown(name)
    default:
      return undefined
  }
}

function listenAddress(shown: (name: string) => string): string {
  const port = shown('port') === '0' ? shown('tls-port') : shown('port')
  if (port === '0') return `unixsocket:${shown('unixsocket')}`
  return `${shown('bind').split(' ')[0] || '*'}:${port}`
}

/** Has the system show the title, now and whenever the template is changed: as much of it as there was of the command
 *  line. The name that a wrapper gave the program is kept, but for node's own (on some systems `nodejs`, `node-22`). */
export function showProcTitle(config: Config, configFile: string | undefined): void {
  if (!config.bool('set-proc-title')) return
  const title = /^node(js|-?\d+)?$/.test(basename(process.argv0)) ? 'cinnabar' : process.argv0
  const show = () => {
    const template = config.text('proc-title-template') ?? ''
    process.title = expandProcTitle(template, title, (name) => config.shown(name as DirectiveName), configFile) ?? title
  }
  config.onChange('proc-title-template', show)
}

export function checkProcTitle(template: string | null, around: Surroundings): string | undefined {
  const expanded = expandProcTitle(template ?? '', '', (name) => around.shown(name), undefined)
  return expanded ? undefined : 'template format is invalid or contains unknown variables'
}
