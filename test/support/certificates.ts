/**
 * Owns certificates for tests: an authority and what it signs, made by openssl in a folder of the test. Keys are on a curve, which takes
 * milliseconds; nothing here is kept.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface KeyPair {
  /** PEM files. */
  readonly certificate: string
  readonly key: string
}

export interface SignOrder {
  readonly days?: number
  readonly password?: string
  /** Whom it is for, as openssl writes it; default: this host. */
  readonly names?: string
}

export interface Authority extends KeyPair {
  /** `subject` as openssl writes it: `/O=Example/CN=alice`. */
  sign(name: string, subject: string, order?: SignOrder): KeyPair
}

const openssl = (args: readonly string[]): void => {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
/** How clients name this host. */
const hosts = 'DNS:localhost,IP:127.0.0.1'

export function makeAuthority(folder: string, name = 'ca'): Authority {
  const certificate = join(folder, `${name}.pem`)
  const key = join(folder, `${name}.key`)
  const self = ['req', '-x509', ...curve, '-noenc', '-days', '2', '-subj', `/CN=${name}`]
  openssl([...self, '-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', key, '-out', certificate])
  return {
    certificate,
    key,
    sign: (child, subject, { days = 2, password, names = hosts } = {}) => {
      const pair = { certificate: join(folder, `${child}.pem`), key: join(folder, `${child}.key`) }
      const request = join(folder, `${child}.csr`)
      const extensions = join(folder, `${child}.ext`)
      writeFileSync(extensions, `subjectAltName=${names}\n`)
      const locked = password === undefined ? ['-noenc'] : ['-passout', `pass:${password}`]
      openssl(['req', '-new', ...curve, ...locked, '-utf8', '-subj', subject, '-keyout', pair.key, '-out', request])
      const signed = ['x509', '-req', '-in', request, '-CA', certificate, '-CAkey', key, '-CAcreateserial']
      openssl([...signed, '-days', String(days), '-extfile', extensions, '-out', pair.certificate])
      return pair
    },
  }
}

/** A PKCS#12 store of one key and its chain, as Java likes it. */
export function keyStore(pair: KeyPair, authority: KeyPair, password: string): string {
  const file = `${pair.certificate}.p12`
  const from = ['-inkey', pair.key, '-in', pair.certificate, '-certfile', authority.certificate]
  openssl(['pkcs12', '-export', ...from, '-passout', `pass:${password}`, '-out', file])
  return file
}
