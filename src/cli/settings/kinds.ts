// Owns the kinds of value a setting can have: how one is read from text, shown, and described. Not which settings there are
// (schema.ts) nor how they relate (relations.ts).

import { type Outcome, fail, succeed } from '../../base/outcome.ts'

export interface Kind<Value> {
  /** What to write, for help and documentation: `bytes`, `host:port`. */
  readonly name: string
  /** The failure says what is wrong and what to write instead; the caller names the setting and where it came from. */
  readonly parse: (text: string) => Outcome<Value, string>
  /** The canonical text, which `parse` reads back to the same value. */
  show(value: Value): string
  /** Of numbers: both ends are values it takes. */
  readonly span?: Span
}

/** `port` 0 asks the system for a free one. IPv6 hosts are without brackets. */
export interface Address {
  readonly host: string
  readonly port: number
}

export function showAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export const text: Kind<string> = { name: 'text', parse: succeed, show: (value) => value }

export const folder: Kind<string> = {
  name: 'folder',
  parse: (written) => (written === '' ? fail('is empty; name a folder') : succeed(written)),
  show: (value) => value,
}

/** Absent where the text is empty. */
export const optionalText: Kind<string | undefined> = {
  name: 'text or empty',
  parse: (written) => succeed(written === '' ? undefined : written),
  show: (value) => value ?? '',
}

export const yesNo: Kind<boolean> = {
  name: 'true or false',
  parse: (written) => {
    if (written === 'true') return succeed(true)
    return written === 'false' ? succeed(false) : fail('is neither true nor false')
  },
  show: String,
}

export function choice<const Names extends readonly string[]>(names: Names, notYet: readonly string[] = []): Kind<Names[number]> {
  return {
    name: names.join(', '),
    parse: (written) => {
      const found = names.find((name) => name === written)
      if (found !== undefined) return succeed(found)
      return fail(`${notYet.includes(written) ? 'is not in this version' : 'is not known'}; there are ${names.join(', ')}`)
    },
    show: (value) => value,
  }
}

/** One or more of the names, each once, with commas between; their order counts. */
export function choices<const Names extends readonly string[]>(names: Names): Kind<readonly Names[number][]> {
  return {
    name: `some of ${names.join(', ')}`,
    parse: (written) => {
      const parts = written.split(',').map((part) => part.trim())
      const found = parts.flatMap((part) => names.filter((name) => name === part))
      if (found.length !== parts.length) return fail(`has an unknown name; there are ${names.join(', ')}`)
      return new Set(found).size === found.length ? succeed(found) : fail('names one twice')
    },
    show: (value) => value.join(','),
  }
}

export interface Span {
  readonly min: number
  readonly max: number
}

function inSpan(value: number, { min, max }: Span): Outcome<number, string> {
  return value >= min && value <= max ? succeed(value) : fail(`is out of range; write ${min} to ${max}`)
}

export function count(min: number, max: number): Kind<number> {
  const span = { min, max }
  return {
    name: 'number',
    parse: (written) => (/^-?\d{1,15}$/.test(written) ? inSpan(Number(written), span) : fail('is not a whole number')),
    show: String,
    span,
  }
}

function withUnits(name: string, units: ReadonlyMap<string, number>, span: Span): Kind<number> {
  const pattern = /^(\d{1,15}) ?([A-Za-z]*)$/
  return {
    name,
    parse: (written) => {
      const [, digits, unit] = pattern.exec(written) ?? []
      const factor = unit === undefined ? undefined : unit === '' ? 1 : units.get(unit)
      if (digits === undefined || factor === undefined) {
        return fail(`is not a number of ${name}; write a whole number, or one with ${[...units.keys()].join(', ')}`)
      }
      return inSpan(Number(digits) * factor, span)
    },
    show: String,
    span,
  }
}

const KiB = 1024
const byteUnits = new Map([
  ['B', 1],
  ['KiB', KiB],
  ['MiB', KiB ** 2],
  ['GiB', KiB ** 3],
  ['TiB', KiB ** 4],
])
const timeUnits = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/** Bytes, also as `64MiB`. */
export function bytes(min: number, max: number): Kind<number> {
  return withUnits('bytes', byteUnits, { min, max })
}

/** Milliseconds, also as `1s`, `10m`. */
export function milliseconds(min: number, max: number): Kind<number> {
  return withUnits('milliseconds', timeUnits, { min, max })
}

function parseAddress(written: string): Outcome<Address, string> {
  const bracketed = /^\[([0-9A-Fa-f:.]+)\]:(\d{1,5})$/.exec(written)
  const plain = /^([A-Za-z0-9._-]+):(\d{1,5})$/.exec(written)
  const [, host, port] = bracketed ?? plain ?? []
  if (host === undefined || port === undefined) return fail('is not host:port; write for example 127.0.0.1:9092 or [::]:9092')
  return Number(port) > 65_535 ? fail('has no such port; ports end at 65535') : succeed({ host, port: Number(port) })
}

export const address: Kind<Address> = { name: 'host:port', parse: parseAddress, show: showAddress }

export const optionalAddress: Kind<Address | undefined> = {
  name: 'host:port or empty',
  parse: (written) => (written === '' ? succeed(undefined) : parseAddress(written)),
  show: (value) => (value === undefined ? '' : showAddress(value)),
}

/** An http or https address of a store, absent where the text is empty. Holds no path, user or query. */
export const optionalEndpoint: Kind<string | undefined> = {
  name: 'URL or empty',
  parse: (written) => {
    if (written === '') return succeed(undefined)
    return /^https?:\/\/[^\s/@?#]+\/?$/.test(written)
      ? succeed(written.replace(/\/$/, ''))
      : fail('is not an http(s) address; write for example http://127.0.0.1:9000')
  },
  show: (value) => value ?? '',
}
