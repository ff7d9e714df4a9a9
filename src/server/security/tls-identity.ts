// Owns what this node shows and asks for in a TLS handshake: certificate, key, the authorities of client certificates, and taking new
// ones from the same files without a restart. Not the sockets (listener/acceptor.ts).

import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls'
import type { Clock } from '../../base/clock.ts'
import { atMsOf } from '../../base/iso-time.ts'
import type { Log } from '../../base/log.ts'
import { OpError } from '../../base/op-error.ts'
import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { subjectOf } from './distinguished-name.ts'
import type { MappingRules } from './mapping-rules.ts'
import { anonymous, type Principal, userNamed } from './principal.ts'
import { type FileContents, type NamedFile, readFiles, WatchedFiles } from './watched-files.ts'

export type ClientAuth = 'none' | 'requested' | 'required'

export interface TlsSettings {
  readonly certificateFile: string
  readonly keyFile: string
  readonly keyPassword: string | undefined
  readonly caFile: string | undefined
  readonly clientAuth: ClientAuth
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly reloadIntervalMs: number
  /** What the setting is called: that of all listeners, or of one. */
  readonly settingOf: (key: TlsKey) => string
}

export type TlsKey =
  'certificate-file' | 'key-file' | 'key-password' | 'ca-file' | 'client-auth' | 'min-version' | 'principal-mapping-rules'

/** What the listener needs of it. */
export interface TlsIdentity {
  /** Of the handshake as it is now. `asksClient`: whether this listener wants a certificate at all. */
  options(asksClient: boolean): TlsOptions
  /** Calls back when the files have changed and fit together. */
  onRenewed(callback: () => void): void
  /** Who presents this certificate (DER); without one, nobody in particular. The failure is for the log. */
  principalOf(certificate: Uint8Array | undefined): Outcome<Principal, string>
}

function invalid(detail: string, cause?: unknown): OpError {
  return new OpError('invalid', { code: 'TLS_FILES_INVALID', detail, ...(cause === undefined ? {} : { cause }) })
}

function filesOf({ certificateFile, keyFile, caFile, settingOf }: TlsSettings): NamedFile[] {
  return [
    { setting: settingOf('certificate-file'), path: certificateFile },
    { setting: settingOf('key-file'), path: keyFile },
    ...(caFile === undefined ? [] : [{ setting: settingOf('ca-file'), path: caFile }]),
  ]
}

function certificateOf(setting: string, path: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw invalid(
      `${setting} names ${path}, which holds no certificate in PEM; name a file that begins with BEGIN CERTIFICATE`,
      cause,
    )
  }
}

function keyOf({ keyFile, keyPassword, settingOf }: TlsSettings, pem: Buffer): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(keyPassword === undefined ? {} : { passphrase: keyPassword }) })
  } catch {
    // What OpenSSL says of a key stays here: not a word about it leaves.
    const remedy = `name a private key in PEM, and its password in ${settingOf('key-password')} if it has one`
    throw invalid(`${settingOf('key-file')} names ${keyFile}, which cannot be read as a private key; ${remedy}`)
  }
}

/** Everything fits together, or an OpError says what does not. */
function contextOf(
  settings: TlsSettings,
  contents: FileContents,
): { context: SecureContextOptions; certificate: X509Certificate } {
  const { settingOf } = settings
  const [certificateSetting, keySetting, caSetting] = [settingOf('certificate-file'), settingOf('key-file'), settingOf('ca-file')]
  const cert = contents.get(certificateSetting) ?? Buffer.alloc(0)
  const key = contents.get(keySetting) ?? Buffer.alloc(0)
  const ca = contents.get(caSetting)
  const certificate = certificateOf(certificateSetting, settings.certificateFile, cert)
  const privateKey = keyOf(settings, key)
  if (!certificate.checkPrivateKey(privateKey)) {
    const both = `${settings.keyFile} and ${settings.certificateFile}`
    throw invalid(
      `${both} do not belong together; ${certificateSetting} must hold the certificate of the key in ${keySetting} first`,
    )
  }
  if (ca !== undefined) certificateOf(caSetting, settings.caFile ?? '', ca)
  const context: SecureContextOptions = {
    cert,
    key,
    ...(settings.keyPassword === undefined ? {} : { passphrase: settings.keyPassword }),
    ...(ca === undefined ? {} : { ca }),
    minVersion: settings.minVersion,
    // A resumed session would skip the check of the client's certificate against authorities that changed since.
    secureOptions: constants.SSL_OP_NO_TICKET,
    honorCipherOrder: true,
  }
  try {
    createSecureContext(context)
  } catch (cause) {
    const names = [settings.certificateFile, settings.keyFile, ...(settings.caFile === undefined ? [] : [settings.caFile])]
    throw invalid(`${names.join(', ')} cannot be used for TLS together; renew them`, cause)
  }
  return { context, certificate }
}

export class WatchedTlsIdentity implements TlsIdentity {
  readonly #settings: TlsSettings
  readonly #rules: MappingRules
  readonly #world: { readonly clock: Clock; readonly log: Log }
  readonly #renewed: Array<() => void> = []
  readonly #watch: WatchedFiles
  #context: SecureContextOptions

  private constructor(
    parts: { readonly settings: TlsSettings; readonly rules: MappingRules; readonly contents: FileContents },
    world: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#settings = parts.settings
    this.#rules = parts.rules
    this.#world = world
    this.#context = this.#take(parts.contents)
    this.#watch = new WatchedFiles(parts.contents, {
      files: filesOf(parts.settings),
      intervalMs: parts.settings.reloadIntervalMs,
      clock: world.clock,
      onChanged: (contents) => {
        this.#context = this.#take(contents)
        for (const callback of this.#renewed) callback()
      },
      onTrouble: (error) => {
        world.log.warn('the changed TLS files are not taken; those before stay in use', {
          code: error.code,
          detail: error.detail,
        })
      },
    })
  }

  /** Throws OpError `invalid`, which names the file and the remedy. */
  static async open(
    settings: TlsSettings,
    rules: MappingRules,
    world: { readonly clock: Clock; readonly log: Log },
  ): Promise<WatchedTlsIdentity> {
    return new WatchedTlsIdentity({ settings, rules, contents: await readFiles(filesOf(settings)) }, world)
  }

  options(asksClient: boolean): TlsOptions {
    const { clientAuth } = this.#settings
    const asks = asksClient && clientAuth !== 'none'
    return { ...this.#context, requestCert: asks, rejectUnauthorized: asks && clientAuth === 'required' }
  }

  onRenewed(callback: () => void): void {
    this.#renewed.push(callback)
  }

  principalOf(certificate: Uint8Array | undefined): Outcome<Principal, string> {
    if (certificate === undefined) return succeed(anonymous)
    const subject = subjectOf(certificate)
    if (subject === undefined) return fail('the subject of the client’s certificate cannot be read')
    const name = this.#rules.nameOf(subject)
    return name === undefined
      ? fail(`no rule of ${this.#settings.settingOf('principal-mapping-rules')} fits ${subject}`)
      : succeed(userNamed(name))
  }

  close(): void {
    this.#watch.close()
  }

  #take(contents: FileContents): SecureContextOptions {
    const { context, certificate } = contextOf(this.#settings, contents)
    const { log, clock } = this.#world
    const facts = { subject: subjectOf(certificate.raw) ?? '', validTo: certificate.validTo }
    log.info('the certificate for Kafka clients', facts)
    const nowMs = clock.nowMs()
    if (atMsOf(certificate.validTo) < nowMs) log.warn('the certificate for Kafka clients has expired; renew it', facts)
    return context
  }
}
