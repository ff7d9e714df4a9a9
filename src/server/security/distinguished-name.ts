// Owns reading the subject of an X.509 certificate and writing it as Java's X500Principal does (RFC 2253), because Kafka's ACLs and
// mapping rules are written against that text. Not whether the certificate is to be trusted (TLS).
//
//   Certificate ::= SEQUENCE { TBSCertificate ::= SEQUENCE { [0] version?, serial, algorithm, issuer, validity, subject, … } … }
//   Name ::= SEQUENCE OF SET OF SEQUENCE { OID, value }          written last to first

interface Element {
  readonly tag: number
  /** With tag and length. */
  readonly whole: Uint8Array
  readonly content: Uint8Array
}

const sequence = 0x30
const set = 0x31
const objectIdentifier = 0x06
const versionTag = 0xa0
/** serial, algorithm, issuer, validity stand before the subject. */
const fieldsBeforeSubject = 4

/** The attributes RFC 2253 has words for; all others are written as their number, with the value in hex. */
const keywords: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'STREET'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
])

const utf8 = 'utf8'
const latin1 = 'latin1'
/** UTF8String, PrintableString, T61String, IA5String, GeneralString; BMPString and UniversalString are of fixed width. */
const charsets: ReadonlyMap<number, BufferEncoding> = new Map([
  [0x0c, utf8],
  [0x13, latin1],
  [0x14, latin1],
  [0x16, latin1],
  [0x1b, latin1],
])
const bmpString = 0x1e

function elementAt(bytes: Uint8Array, at: number): Element | undefined {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) return undefined
  let length = first
  let begin = at + 2
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 3) return undefined
    length = 0
    for (let position = 0; position < count; position += 1) length = (length << 8) | (bytes[begin + position] ?? 0)
    begin += count
  }
  const end = begin + length
  if (end > bytes.length) return undefined
  return { tag, whole: bytes.subarray(at, end), content: bytes.subarray(begin, end) }
}

/** Undefined when the content is not a row of whole elements. */
function elementsOf(content: Uint8Array): readonly Element[] | undefined {
  const elements: Element[] = []
  for (let at = 0; at < content.length;) {
    const element = elementAt(content, at)
    if (element === undefined) return undefined
    elements.push(element)
    at += element.whole.length
  }
  return elements
}

function dotted(content: Uint8Array): string {
  const numbers: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if ((byte & 0x80) !== 0) continue
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(value / 40))
      numbers.push(first, value - first * 40)
    } else numbers.push(value)
    value = 0
  }
  return numbers.join('.')
}

function textOf({ tag, content }: Element): string | undefined {
  if (tag === bmpString) return Buffer.from(content).swap16().toString('utf16le')
  const charset = charsets.get(tag)
  return charset === undefined ? undefined : Buffer.from(content).toString(charset)
}

const marked = (text: string): string => text.replaceAll(/[^]/g, String.raw`\$&`)

/** Spaces at either end are marked as well. */
function escaped(text: string): string {
  const [, before = '', inner = '', after = ''] = /^([ \r]*)([^]*?)([ \r]*)$/.exec(text) ?? []
  const plain = inner.replaceAll(/[,=+<>#;"\\]/g, String.raw`\$&`).replaceAll('\u0000', String.raw`\00`)
  return `${marked(before)}${plain}${marked(after)}`
}

function attribute({ content }: Element): string | undefined {
  const [type, value] = elementsOf(content) ?? []
  if (type?.tag !== objectIdentifier || value === undefined) return undefined
  const number = dotted(type.content)
  const keyword = keywords.get(number)
  const text = value.tag === bmpString && value.content.length % 2 !== 0 ? undefined : textOf(value)
  if (keyword === undefined || text === undefined) return `${keyword ?? number}=#${Buffer.from(value.whole).toString('hex')}`
  return `${keyword}=${escaped(text)}`
}

/** The subject of a certificate in DER, or undefined when the bytes are none. */
export function subjectOf(certificate: Uint8Array): string | undefined {
  const outer = elementAt(certificate, 0)
  const signed = outer?.tag === sequence ? elementAt(outer.content, 0) : undefined
  const fields = signed?.tag === sequence ? elementsOf(signed.content) : undefined
  if (fields === undefined) return undefined
  const subject = fields[fieldsBeforeSubject + (fields[0]?.tag === versionTag ? 1 : 0)]
  const parts = subject?.tag === sequence ? elementsOf(subject.content) : undefined
  if (parts === undefined) return undefined
  const written: string[] = []
  for (const part of parts) {
    const attributes = part.tag === set ? elementsOf(part.content)?.map(attribute) : undefined
    if (attributes === undefined || attributes.includes(undefined)) return undefined
    written.unshift(attributes.join('+'))
  }
  return written.join(',')
}
