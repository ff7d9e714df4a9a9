// Owns text on the wire: UTF-8 both ways and Kafka's 22-character form of a UUID. Does not own length prefixes (reader.ts, writer.ts).

// The pure rooms compile without DOM or Node types; both are part of every JavaScript host this can run in.
interface Utf8Decoder {
  decode(bytes: Uint8Array): string
}
interface Utf8Encoder {
  encode(text: string): Uint8Array
}
declare const TextDecoder: new (label: string, options: { readonly ignoreBOM: boolean }) => Utf8Decoder
declare const TextEncoder: new () => Utf8Encoder

// A leading byte order mark belongs to the text; malformed input becomes U+FFFD, as Kafka's clients and broker have it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** The longest string on the wire, as Kafka has it also where the length would allow more. */
export const stringBytesMax = 0x7fff

/** In UTF-16 units: at most three bytes each, so it fits a string. */
const messageLengthMax = 1_000

/** A message for a client that fits its field whatever is quoted in it: a name the client wrote may be as long as a string can be. */
export function briefly<Message extends string | null>(message: Message): Message | string {
  return message === null || message.length <= messageLengthMax ? message : `${message.slice(0, messageLengthMax - 1)}…`
}

/** Up to here a byte loop beats the call into TextDecoder; topic names and client ids are mostly shorter. */
const loopBytesMax = 24

export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > loopBytesMax) return decoder.decode(bytes.subarray(start, end))
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte > 0x7f) return decoder.decode(bytes.subarray(start, end))
    text += String.fromCharCode(byte)
  }
  return text
}

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** True when one byte per character is the UTF-8 form; only short text is looked at, the encoder is faster on long text. */
export function isShortAscii(text: string): boolean {
  if (text.length > 64) return false
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const sextetOf = new Int8Array(128).fill(-1)
for (let sextet = 0; sextet < 64; sextet++) sextetOf[alphabet.charCodeAt(sextet)] = sextet

export const uuidBytesLength = 16
/** 16 bytes are 128 bits: 21 sextets and 2 bits over. */
export const uuidTextLength = 22
/** The id Kafka reads as "no id". */
export const zeroUuid = 'AAAAAAAAAAAAAAAAAAAAAA'

export function decodeUuid(bytes: Uint8Array, start: number): string {
  let text = ''
  for (let at = start; at < start + 15; at += 3) {
    const group = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    text +=
      (alphabet[group >>> 18] as string) +
      (alphabet[(group >>> 12) & 63] as string) +
      (alphabet[(group >>> 6) & 63] as string) +
      (alphabet[group & 63] as string)
  }
  const last = bytes[start + 15] as number
  return text + (alphabet[last >>> 2] as string) + (alphabet[(last & 3) << 4] as string)
}

/** False, having written some of it, when the text is not a UUID in base64url. */
export function encodeUuid(text: string, into: Uint8Array, start: number): boolean {
  if (text.length !== uuidTextLength) return false
  let bits = 0
  let bitCount = 0
  let to = start
  for (let at = 0; at < uuidTextLength; at++) {
    const sextet = sextetOf[text.charCodeAt(at)] ?? -1
    if (sextet < 0) return false
    bits = (bits << 6) | sextet
    bitCount += 6
    if (bitCount >= 8) {
      bitCount -= 8
      into[to++] = (bits >>> bitCount) & 0xff
      bits &= (1 << bitCount) - 1
    }
  }
  return true
}

/** True for the text of a UUID; for ids that come from configuration or a command line. */
export function isUuid(text: string): boolean {
  return encodeUuid(text, new Uint8Array(uuidBytesLength), 0)
}
